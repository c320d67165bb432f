"""What the control API and the pages work with, and how they find things."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from upbridge_sandbox.asgi.call import Call
from upbridge_sandbox.asgi.routing import Handler
from upbridge_sandbox.changes import Changes
from upbridge_sandbox.marketplace import Marketplace
from upbridge_sandbox.seed.formats import Json
from upbridge_sandbox.shop import Shop
from upbridge_sandbox.state import State
from upbridge_sandbox.upgates.announcements import Announcer
from upbridge_sandbox.uphance.hooks import UphanceHooks
from upbridge_sandbox.uphance.organisations import Organisation
from upbridge_sandbox.upp.tenant import Tenant

T = TypeVar("T")
Calls: TypeAlias = tuple[tuple[str, str, Handler], ...]
"""Method, path and handler of the calls of a part of the control API."""


@dataclass(frozen=True, slots=True)
class Context:
    """What the control API and the admin pages work with."""

    state: State
    changes: Changes
    announcer: Announcer
    marketplace: Marketplace
    uphance_hooks: UphanceHooks


class Missing(Exception):
    """There is no such thing; the text says which."""


class Controls:
    """Finds what a call names. Each of the methods raises `Missing`."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.state = context.state

    def shop_of(self, call: Call) -> Shop:
        """The shop with this name or token."""
        wanted = call.path_params["shop"]
        return found(self.state.shops.get(wanted) or self.state.shop_of_token(wanted), f"shop {wanted}")

    def product_of(self, shop: Shop, call: Call) -> Json:
        """The product with this id."""
        return by_id(shop.goods.products, call.path_params["id"], "product")

    def order_of(self, shop: Shop, call: Call) -> Json:
        """The order with this number."""
        number = call.path_params["number"]
        return found(shop.orders.get(number), f"order {number}")

    def tenant_of(self, call: Call) -> Tenant:
        """The tenant with this client id."""
        client = call.path_params["client"]
        return found(self.state.tenants.get(client), f"tenant {client}")

    def organisation_of(self, call: Call) -> Organisation:
        """The Uphance organisation with this id."""
        return by_id(self.state.uphance.organisations, call.path_params["org"], "organisation")

    def sales_order_of(self, organisation: Organisation, call: Call) -> Json:
        """The sales order that the body names by id or by reference."""
        body = body_of(call)
        order_id, reference = body.get("order_id"), body.get("purchase_order_ref", 0)
        orders = organisation.orders.values()
        named = (one for one in orders if one["id"] == order_id or one["purchase_order_ref"] == reference)
        return found(next(named, None), "such sales order")

    def ticket_of(self, organisation: Organisation, call: Call) -> Json:
        """The pick ticket with this id."""
        return by_id(organisation.tickets, call.path_params["id"], "pick ticket")


def found(thing: T | None, name: str) -> T:
    """*thing*, if it is there. Raises `Missing`."""
    if thing is None:
        raise Missing(name)
    return thing


def by_id(things: dict[int, T], wanted: str, name: str) -> T:
    """The one of *things* whose id is written in a path. Raises `Missing`."""
    return found(things.get(int(wanted)) if wanted.isdigit() else None, f"{name} {wanted}")


def body_of(call: Call) -> Json:
    """The body as a JSON object; none is an empty one. Raises ValueError or TypeError."""
    body = call.document() if call.content.strip() else {}
    if not isinstance(body, dict):
        raise TypeError("the body is a JSON object")
    return body


def only(body: Json, names: Collection[str]) -> Json:
    """*body*, if it has no other *names*: a misspelt one would say nothing. Raises ValueError."""
    if unknown := body.keys() - set(names):
        raise ValueError(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(sorted(names))}")
    return body

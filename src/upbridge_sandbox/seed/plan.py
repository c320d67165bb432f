"""A shop from a few numbers, and its counterparts at Upp.ai and Uphance."""

import hashlib
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from upbridge_sandbox.seed.formats import Json
from upbridge_sandbox.seed.orders import OrderFactory, make_orders
from upbridge_sandbox.seed.products import make_products
from upbridge_sandbox.seed.uphance_seed import FIRST_UPHANCE_ID, Coverage, uphance_products
from upbridge_sandbox.shop import PACKAGE, TARIFFS, Shop, Tariff
from upbridge_sandbox.state import State
from upbridge_sandbox.uphance.organisations import Organisation
from upbridge_sandbox.upp.tenant import Tenant

SECRET, PASSWORD = "sandbox-secret", "sandbox-password"


@dataclass(frozen=True, slots=True)
class Plan:
    """What is asked for with POST /control/shops."""

    name: str = "demo"
    products: int = 1200
    orders: int = 400
    days: float = 25.0
    seed: int = 1
    tariff: str | dict[str, int] | None = None
    packages: int = 0

    @classmethod
    def read(cls, body: dict[str, Any]) -> "Plan":
        """From JSON; raises ValueError that says what is wrong."""
        unknown = set(body) - set(cls.__slots__)
        if unknown:
            raise ValueError(f"unknown: {', '.join(sorted(unknown))}")
        plan = cls(**body)
        if not plan.name.isidentifier() or min(plan.products, plan.orders, plan.packages) < 0:
            raise ValueError("name is a plain word, numbers are not negative")
        return plan


def tariff_of(tariff: str | dict[str, int] | None, packages: int) -> Tariff | None:
    """The limits of a tariff with packages; None, as for every verified add-on, means no limits."""
    if tariff is None and not packages:
        return None
    if isinstance(tariff, dict):
        hour, day = tariff["hour"], tariff["day"]
    elif tariff is None:
        hour, day = 0, 0
    elif tariff.lower() in TARIFFS:
        hour, day = TARIFFS[tariff.lower()]
    else:
        raise ValueError(f"no tariff is called {tariff!r}; there are {', '.join(TARIFFS)}")
    return Tariff(hour=hour + packages * PACKAGE[0], day=day + packages * PACKAGE[1])


def open_shop(state: State, plan: Plan) -> Shop:
    """Make the shop of *plan*, an Upp.ai tenant `upp-NAME` and an Uphance login `NAME@uphance.test`."""
    if plan.name in state.shops:
        raise ValueError(f"there is a shop {plan.name!r} already")
    tariff = tariff_of(plan.tariff, plan.packages)
    rng, now = state.rng.of(f"shop-{plan.name}-{plan.seed}"), state.now()
    host = f"https://{plan.name}.admin.s24.upgates.com"
    goods, product_factory = make_products(plan.products, rng, now, host)
    coverage = Coverage.of(goods)
    order_factory = OrderFactory(goods, coverage, rng, now, host)
    orders, broken = make_orders(order_factory, plan.orders, plan.days)
    shop = Shop(
        name=plan.name,
        token=hashlib.sha256(f"{state.seed}/{plan.name}/{plan.seed}".encode()).hexdigest()[:32],
        goods=goods,
        product_factory=product_factory,
        order_factory=order_factory,
        orders=orders,
        broken=broken,
        rng=rng,
        tariff=tariff,
    )
    for order in orders.values():
        shop.keep_version(order)
    state.shops[plan.name] = shop
    _open_upp(state, plan.name)
    _open_uphance(state, shop, coverage)
    return shop


def _open_upp(state: State, name: str) -> None:
    client = f"upp-{name}"
    state.tenants[client] = Tenant(client_id=client, secret=SECRET)


def _open_uphance(state: State, shop: Shop, coverage: Coverage) -> None:
    """Two organisations: the shop's own, and another one of the same user that must never be written to."""
    place = len(state.uphance.organisations)
    email = f"{shop.name}@uphance.test"
    for offset, name in enumerate((f"Wholesale {shop.name}", f"Other company {shop.name}")):
        number = place + offset
        organisation = Organisation(
            id=501 + number,
            name=name,
            channels=[
                {"channel_ID": 6900 + 10 * number, "channel_name": "Web CZ", "currency": "CZK"},
                {"channel_ID": 6901 + 10 * number, "channel_name": "Web EU", "currency": "EUR"},
            ],
            seasons=[
                {"id": 300 + 10 * number, "name": "AW26"},
                {"id": 301 + 10 * number, "name": "SS27"},
            ],
        )
        if offset == 0:
            first = FIRST_UPHANCE_ID + 100_000 * number
            season = organisation.seasons[0]["id"]
            organisation.products = uphance_products(shop.goods, coverage, first_id=first, season_id=season)
            organisation.taxes = _Taxes(shop)
        state.uphance.organisations[organisation.id] = organisation
        state.uphance.add_user(email, PASSWORD, [organisation.id])


@dataclass(frozen=True, slots=True)
class _Taxes:
    """Uphance set up with care: it taxes as the shop does, in every country. A part without a price of its own is
    taxed like its set."""

    shop: Shop

    def __call__(self, reference: str | None, sku: Json | None) -> Decimal | None:
        """The rate of a SKU in the order of that reference, or of its shipping; None where the shop has none."""
        order = self.shop.orders.get((reference or "").rpartition("-")[2])
        if order is None:
            return None
        if sku is None:
            rates = [order[part]["vat"] for part in ("shipment", "payment") if order[part]["price"]]
        else:
            names = {sku["sku_number"], sku["ean"]} - {None}
            sets = {line["uuid"]: line["vat"] for line in order["products"] if line["type"] == "set"}
            rates = [
                line["vat"] if line["price"] else sets.get(line["parent_uuid"], line["vat"])
                for line in order["products"]
                if {line["code"], line["ean"]} & names
            ]
        return Decimal(str(rates[0])) if rates else None


def credentials(state: State, shop: Shop) -> dict[str, Any]:
    """How to connect the counterparts of *shop*."""
    email = f"{shop.name}@uphance.test"
    return {
        "upp": {"client_id": f"upp-{shop.name}", "secret": SECRET},
        "uphance": {"email": email, "password": PASSWORD, "organisation": state.uphance.members[email][0]},
    }

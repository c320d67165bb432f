"""Abacus as a target: what it should hold of an order or a product (pure), and how that is sent."""

from collections.abc import AsyncGenerator, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from json import loads

from tests.conformance.third_system.abacus.client import AbacusClient
from upbridge.core.canonical_json import canonical
from upbridge.core.errors import Rejected
from upbridge.domain.delivery import (
    Delivered,
    DesiredDocument,
    Document,
    Entity,
    Issue,
    Outcome,
    Parked,
    Unmappable,
)
from upbridge.domain.eligibility import Eligibility, OrderPolicy
from upbridge.domain.order import Order
from upbridge.domain.shop_settings import ShopSettings
from upbridge.systems.base import Connection, MappingContext, UniqueName
from upbridge.systems.connecting import Tools, Vault
from upbridge.systems.links import Links


class AbacusTarget:
    """`base.Target`."""

    system = "abacus"

    def __init__(self, tools: Tools, base_url: str) -> None:
        self._tools = tools
        self._base = base_url

    def unique_name(self, shop_settings: ShopSettings) -> UniqueName | None:
        """Abacus knows the shop's ids, so two products may have one code."""
        del shop_settings
        return None

    def order_policy(self, context: MappingContext) -> OrderPolicy:
        """Every order of the last year."""
        return OrderPolicy(
            enabled=context.settings.yes("abacus.send"),
            since=context.connection.connected_at - timedelta(days=365),
            origins=context.settings.get("abacus.origins"),
        )

    def desired_documents(self, entity: Entity, context: MappingContext) -> Iterable[DesiredDocument | Unmappable]:
        """A page for each order that is sent, and one for each product on sale."""
        if isinstance(entity, Order):
            if self.order_policy(context).judge(entity, context.facts) is Eligibility.SENT:
                page = {"number": entity.order_number, "status": entity.status_id, "lines": len(entity.lines)}
                yield DesiredDocument("order", entity.key, entity.key, canonical(page))
        elif entity.active and context.settings.yes("abacus.send"):
            text = entity.text(context.facts.default_language)
            page = {"id": entity.product_id, "title": text.title if text is not None else None, "on_sale": True}
            yield DesiredDocument("product", entity.key, entity.key, canonical(page))

    def tombstone(self, kind: str, sent: bytes) -> bytes | None:
        """A product as it was sent, no longer on sale; None for an order, which stays in the book, or if that was
        sent."""
        page = loads(sent)
        return canonical({**page, "on_sale": False}) if kind == "product" and page["on_sale"] else None

    def sender(self, connection: Connection, vault: Vault, links: Links) -> "AbacusSender":
        """Who sends while one slice of the lane is worked. Abacus keeps one page a thing: *links* need not be
        asked what is there."""
        del connection, links
        return AbacusSender(self._tools, self._base, vault)


@dataclass(frozen=True, slots=True)
class AbacusSender:
    """`base.Sender`."""

    tools: Tools
    base: str
    vault: Vault

    async def push(
        self, documents: Sequence[Document], context: MappingContext
    ) -> AsyncGenerator[list[tuple[Document, Outcome]], None]:
        """Write one after the other; what Abacus refuses waits for a person, and stops no other.

        Raises `LoginRefused`, `Throttled`, `Unreachable` for what concerns the whole connection.
        """
        del context
        key = (await self.vault.secret())["abacus_key"]
        client = AbacusClient(self.tools.http, self.base, key, self.tools.clock)
        for document in documents:
            try:
                await client.write(document.kind, document.key, document.body)
            except Rejected as refusal:
                yield [(document, Parked(Issue("abacus.refused", {"said": str(refusal)})))]
            else:
                keep = document.body if document.kind == "product" else None
                yield [(document, Delivered(remote_id=document.key, keep=keep))]

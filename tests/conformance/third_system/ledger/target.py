"""Ledger as a target: what it should hold of an order or a product (pure), and how that is sent."""

from collections.abc import AsyncGenerator, Iterable, Sequence
from datetime import timedelta

from tests.conformance.third_system.ledger.client import LedgerClient
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
from upbridge.systems.base import Links, MappingContext, UniqueName
from upbridge.systems.connecting import Tools, Vault


class LedgerTarget:
    """`base.Target`."""

    system = "ledger"

    def __init__(self, tools: Tools, base_url: str) -> None:
        self._http = tools.http
        self._base = base_url

    def unique_name(self, shop_settings: ShopSettings) -> UniqueName | None:
        """Ledger knows the shop's ids."""
        return None

    def order_policy(self, context: MappingContext) -> OrderPolicy:
        """Every order of the last year."""
        return OrderPolicy(
            enabled=context.settings.yes("ledger.send"),
            since=context.connection.connected_at - timedelta(days=365),
            origins=context.settings.get("ledger.origins"),
        )

    def desired_documents(self, entity: Entity, context: MappingContext) -> Iterable[DesiredDocument | Unmappable]:
        """One document for each order that is sent, and one for each product."""
        if isinstance(entity, Order):
            if self.order_policy(context).judge(entity, context.facts) is Eligibility.SENT:
                body = canonical({"number": entity.order_number, "lines": len(entity.lines)})
                yield DesiredDocument("order", entity.key, entity.key, body)
        else:
            body = canonical({"id": entity.key, "active": entity.active, "variants": len(entity.variants)})
            yield DesiredDocument("product", entity.key, entity.key, body)

    def tombstone(self, kind: str, sent: bytes) -> bytes | None:
        """What was written once stays in the book."""
        return None

    async def push(
        self, documents: Sequence[Document], context: MappingContext, vault: Vault, links: Links
    ) -> AsyncGenerator[list[tuple[Document, Outcome]], None]:
        """Write one after the other."""
        del context, links
        client = LedgerClient(self._http, self._base, (await vault.secret())["ledger_key"])
        for document in documents:
            try:
                await client.put(document.kind, document.key, document.body)
            except Rejected as rejected:
                yield [(document, Parked(Issue("ledger.refused", {"said": str(rejected)})))]
            else:
                yield [(document, Delivered(remote_id=document.key))]

"""How a shop is connected to Ledger: with the key of its account."""

from collections.abc import Collection, Mapping, Sequence

from tests.conformance.third_system.ledger.client import LedgerClient
from upbridge.domain.shop import Shop
from upbridge.store.connections import ConnectionRow
from upbridge.systems.connecting import Connected, Fact, Field, NewConnection, Tools


class LedgerConnect:
    """`base.Connect`."""

    fields: Sequence[Field] = (
        Field(name="ledger_account", help="the name of the account", is_account=True),
        Field(name="ledger_key", help="its key", secret=True, kind="password"),
    )
    credentials = "account and key"
    prefixes_names = False
    in_turn = False
    revokes = False

    def __init__(self, base_url: str) -> None:
        self._base = base_url

    def shown(self, row: ConnectionRow) -> Sequence[Fact]:
        """The account."""
        return (Fact(name="ledger_account", code=row.account),)

    async def log_in(
        self, tools: Tools, shop: Shop, typed: Mapping[str, str], *, others: Collection[str]
    ) -> NewConnection:
        """Ask for the account with the key."""
        del shop, others
        await LedgerClient(tools.http, self._base, typed["ledger_key"], tools.clock).test()
        return NewConnection(account=typed["ledger_account"], secret={"ledger_key": typed["ledger_key"]})

    async def test(self, connected: Connected) -> None:
        """Ask for the account with the stored key."""
        secret = await connected.vault.secret()
        tools = connected.tools
        await LedgerClient(tools.http, self._base, secret["ledger_key"], tools.clock).test()

    async def revoke(self, connected: Connected) -> None:
        """Nothing: the key ends at Ledger."""

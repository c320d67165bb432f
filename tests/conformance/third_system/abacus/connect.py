"""How a shop is connected to Abacus: with the key of its account."""

from collections.abc import Collection, Mapping, Sequence

from tests.conformance.third_system.abacus.client import AbacusClient
from upbridge.domain.shop import Shop
from upbridge.store.connections import ConnectionRow
from upbridge.systems.connecting import Connected, Fact, Field, NewConnection, Tools


class AbacusConnect:
    """`base.Connect`."""

    fields: Sequence[Field] = (
        Field(name="abacus_account", help="the name of the account", is_account=True),
        Field(name="abacus_key", help="its key", secret=True, kind="password"),
    )
    credentials = "account and key"
    prefixes_names = False
    in_turn = False
    revokes = False

    def __init__(self, base_url: str) -> None:
        self._base = base_url

    def shown(self, row: ConnectionRow) -> Sequence[Fact]:
        """The account."""
        return (Fact(name="abacus_account", code=row.account),)

    async def log_in(
        self, tools: Tools, shop: Shop, typed: Mapping[str, str], *, others: Collection[str]
    ) -> NewConnection:
        """Ask for the account with the key."""
        del shop, others
        await AbacusClient(tools.http, self._base, typed["abacus_key"], tools.clock).test()
        return NewConnection(account=typed["abacus_account"], secret={"abacus_key": typed["abacus_key"]})

    async def test(self, connected: Connected) -> None:
        """Ask for the account with the stored key."""
        secret = await connected.vault.secret()
        tools = connected.tools
        await AbacusClient(tools.http, self._base, secret["abacus_key"], tools.clock).test()

    async def revoke(self, connected: Connected) -> None:
        """Nothing: the key ends at Abacus."""

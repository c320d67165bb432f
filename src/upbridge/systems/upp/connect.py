"""How a shop is connected to Upp.ai: with the client id and secret of its tenant."""

from collections.abc import Collection, Mapping, Sequence

from upbridge.domain.shop import Shop
from upbridge.store.connections import ConnectionRow
from upbridge.systems.connecting import Connected, Fact, Field, NewConnection, Tools
from upbridge.systems.upp.client import UppClient


def client_of(tools: Tools) -> UppClient:
    """A client for any number of shops."""
    return UppClient(tools.http, tools.settings.upp_url, tools.clock)


class UppConnect:
    """`base.Connect`."""

    fields: Sequence[Field] = (
        Field(name="client_id", help="the client id of the tenant", is_account=True),
        Field(name="client_secret", help="its secret", secret=True, kind="password", longest=500),
    )
    credentials = "client id and secret"
    prefixes_names = True
    in_turn = False
    revokes = False

    def shown(self, row: ConnectionRow) -> Sequence[Fact]:
        """The client, and the prefix where there is one."""
        facts = [
            Fact(name="client_id", code=row.account),
            Fact(name="client_secret", said="set_since", since=row.login_at),
        ]
        if row.prefix:
            facts.append(Fact(name="prefix", code=row.prefix, said="prefix_why"))
        return facts

    async def log_in(
        self, tools: Tools, shop: Shop, typed: Mapping[str, str], *, others: Collection[str]
    ) -> NewConnection:
        """Ask for a token once; raises `LoginRefused` if the credentials do not work."""
        del shop, others
        secret = {name: typed[name] for name in ("client_id", "client_secret")}
        await client_of(tools).test_login(**secret)
        return NewConnection(account=typed["client_id"], secret=secret)

    async def test(self, connected: Connected) -> None:
        """Ask for a token with what is stored."""
        secret = await connected.vault.secret()
        await client_of(connected.tools).test_login(secret["client_id"], secret["client_secret"])

    async def revoke(self, connected: Connected) -> None:
        """Nothing: the secret is the tenant's, and ends there."""

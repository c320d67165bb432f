"""A shop and its two targets, and what a merchant does with them."""

from tests.support.clock import MovableClock
from tests.support.connecting import connect_uphance, connect_upp
from tests.support.engine import Engine, MakeEngine
from tests.support.fake_uphance import FakeUphance
from tests.support.fake_upp import Upp
from tests.support.upp import make_order
from upbridge.store.connections import ConnectionRow

SECRET = "a-secret-of-upp"


async def make_unconnected(make_engine: MakeEngine) -> Engine:
    """A shop that is connected to nothing, with both other systems at hand."""
    made = await make_engine(connected=False, key="shop")
    uphance = FakeUphance(MovableClock(made.watch()))
    made.upgates.others = {"svc.upp.ai": Upp(), "api.uphance.com": uphance.handle}
    return made


def uphance_of(machine: Engine) -> FakeUphance:
    handler = machine.upgates.others["api.uphance.com"]
    server: FakeUphance = handler.__self__  # type: ignore[attr-defined]
    return server


async def upp(machine: Engine, client_id: str = "tenant") -> ConnectionRow:
    return await connect_upp(machine.service, await machine.shop(), client_id=client_id, client_secret=SECRET)


async def uphance(machine: Engine, organisation: int | None = None, password: str = "right") -> ConnectionRow:
    return await connect_uphance(
        machine.service,
        await machine.shop(),
        email="a@example.com",
        password=password,
        organisation=organisation,
    )


async def change(machine: Engine, **texts: str) -> None:
    await machine.service.settings_editor.change(
        await machine.shop(), {key.replace("__", "."): value for key, value in texts.items()}
    )


async def connected(machine: Engine) -> None:
    await upp(machine)
    await machine.connect("uphance", account="5")
    await machine.drain()
    await machine.drain()


async def parked(machine: Engine) -> None:
    await machine.settle(make_order(), kind="order", targets=(machine.other,))
    await machine.run("UPDATE documents SET state = 'parked'")


async def states(machine: Engine) -> list[str]:
    return [row["state"] for row in (await machine.documents("uphance")).values()]

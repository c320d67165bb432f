"""A connected shop: the engine between a simulated shop and a simulated Uphance, both as strict as their rules."""

from collections.abc import AsyncIterator
from typing import Any, cast

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.support.clock import MID_HOUR, MovableClock
from tests.support.connecting import connect_uphance
from tests.support.engine import settings
from tests.support.shops import MakeShop
from tests.support.simulated import Woken
from tests.systems.uphance.write_back.connected_shop import API, UPHANCE, ConnectedShop, Network, Silence
from upbridge.core.encryption import Cipher
from upbridge.rate_limits.ledger import Ledger
from upbridge.systems.registry import SYSTEMS
from upbridge.systems.uphance.target import UphanceTarget
from upbridge.worker_container import WorkerContainer
from upbridge_sandbox.changes import Changes
from upbridge_sandbox.seed.plan import PASSWORD, Plan, open_shop
from upbridge_sandbox.state import Addresses, State
from upbridge_sandbox.upgates.api import upgates_api
from upbridge_sandbox.uphance.api import uphance_api


@pytest.fixture
async def connected(engine: AsyncEngine, cipher: Cipher, make_shop: MakeShop) -> AsyncIterator[ConnectedShop]:
    """A shop of 20 products that has read its catalogue and is connected to Uphance, and to nothing else."""
    watch = MovableClock(MID_HOUR)
    world = State(signature_token="sig", addon_url=None, clock=watch)
    world.addresses = Addresses(*[API] * 6)
    origin = open_shop(world, Plan(name="demo", products=20, orders=0))
    origin.active = True
    origin.adopt(origin.new_access(), world.now())
    assert origin.access is not None
    for product in origin.goods.products.values():
        for one in (product, *product["variants"]):
            one["stock"] = None if one["stock"] is None else abs(int(one["stock"])) + 1
    silence = Silence()
    edits = Changes(world, silence)
    network = Network(
        httpx.ASGITransport(app=cast("Any", upgates_api(world, edits))),
        httpx.ASGITransport(app=cast("Any", uphance_api(world))),
    )
    shop_id = await make_shop(
        key="demo",
        api_url=f"{API}/api/v2",
        api_user=origin.access.user,
        api_key=cipher.encrypt(origin.access.key),
        installed_at=watch(),
        reconciled_at=watch(),
    )
    async with httpx.AsyncClient(transport=network) as http:
        service = WorkerContainer(
            settings=settings(uphance_url=UPHANCE, allow_insecure=True),
            systems=SYSTEMS,
            engine=engine,
            cipher=cipher,
            clock=watch,
            http=http,
            ledger=Ledger(engine, watch),
            targets={"uphance": UphanceTarget.stored(http, UPHANCE, engine, watch)},
            webhook_url=lambda *_: "https://upbridge.example/webhooks/x",
            wake=Woken(),
        )
        made = ConnectedShop(
            service, shop_id, world, origin, world.uphance.organisations[501], network, silence, edits, watch
        )
        await connect_uphance(
            service, await made.shop(), email="demo@uphance.test", password=PASSWORD, organisation=501
        )
        await made.set(uphance__orders_from="2020-01-01")
        await made.work()
        await made.agree()
        watch.move(seconds=1)
        made.asked()
        yield made
    assert world.call_log.violations == []

"""docs/shop-states.md: one test per arrow that a signed call draws, and a random walk over all of them."""

from collections.abc import AsyncIterator, Callable
from typing import Any, TypeAlias

import httpx
import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import settings as how
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.installation.outside import Call, Outside, Rows, settings
from tests.installation.signing import API_URL, Upgates
from tests.installation.walking import (
    ACTIVE,
    HELD,
    REFUSED,
    STEPS,
    UNINSTALLED,
    UNINSTALLING,
    ShopApi,
    State,
    Walk,
)
from tests.support.clock import NOON
from tests.support.shops import KEY, MakeShop
from tests.support.upgates import FakeLedger
from upbridge.core.encryption import Cipher
from upbridge.domain.shop import BY_OPERATOR, BY_UPGATES, ShopState
from upbridge.domain.shop_id import ShopId
from upbridge.store.shops import Shops
from upbridge.systems.registry import SYSTEMS
from upbridge.worker_container import WorkerContainer

Arrow: TypeAlias = Callable[[Upgates, str], tuple[str, dict[str, Any]]]


def install(upgates: Upgates, token: str) -> tuple[str, dict[str, Any]]:
    return "install", upgates.install(token)


def uninstall(upgates: Upgates, token: str) -> tuple[str, dict[str, Any]]:
    return "uninstall", upgates.uninstall(token)


def version(upgates: Upgates, token: str) -> tuple[str, dict[str, Any]]:
    return "version", upgates.version(token)


def version_with_credentials(upgates: Upgates, token: str) -> tuple[str, dict[str, Any]]:
    return "version", upgates.version(token, apiUser="1", apiKey="2", apiUrl=API_URL)


@pytest.mark.parametrize(
    ("before", "arrow", "after"),
    [
        pytest.param(None, install, ACTIVE, id="1"),
        pytest.param(ACTIVE, install, ACTIVE, id="2 install"),
        pytest.param(ACTIVE, version, ACTIVE, id="2 version"),
        pytest.param(ACTIVE, version_with_credentials, ACTIVE, id="2 version with credentials"),
        pytest.param(REFUSED, install, ACTIVE, id="7 install"),
        pytest.param(REFUSED, version_with_credentials, ACTIVE, id="7 version with credentials"),
        pytest.param(REFUSED, version, REFUSED, id="not 7: version without credentials"),
        pytest.param(HELD, install, HELD, id="8 install"),
        pytest.param(HELD, version_with_credentials, HELD, id="8 version with credentials"),
        pytest.param(ACTIVE, uninstall, UNINSTALLING, id="9"),
        pytest.param(REFUSED, uninstall, (ShopState.UNINSTALLING, BY_UPGATES), id="10 refused"),
        pytest.param(HELD, uninstall, (ShopState.UNINSTALLING, BY_OPERATOR), id="10 held"),
        pytest.param(UNINSTALLING, install, ACTIVE, id="17"),
        pytest.param(UNINSTALLING, uninstall, UNINSTALLING, id="uninstalling, uninstall"),
        pytest.param(UNINSTALLING, version_with_credentials, UNINSTALLING, id="uninstalling, version"),
        pytest.param(UNINSTALLED, install, ACTIVE, id="18"),
        pytest.param(UNINSTALLED, uninstall, UNINSTALLED, id="uninstalled, uninstall"),
        pytest.param(UNINSTALLED, version_with_credentials, UNINSTALLED, id="uninstalled, version"),
        pytest.param(None, uninstall, None, id="unknown, uninstall"),
        pytest.param(None, version_with_credentials, None, id="unknown, version"),
    ],
)
async def test_the_arrow(
    *,
    call: Call,
    upgates: Upgates,
    make_shop: MakeShop,
    rows: Rows,
    before: State | None,
    arrow: Arrow,
    after: State | None,
) -> None:
    if before is not None:
        await make_shop(token="shop-1", state=before[0], reason=before[1])

    response = await call(*arrow(upgates, "shop-1"))

    assert (response.status_code, response.json()["error"]) == (200, False)
    assert [(row["state"], row["reason"]) for row in await rows("shops")] == ([after] if after else [])


@pytest.mark.rule("R15", "R30")
async def test_a_return_keeps_settings_and_key_and_forgets_the_webhooks(
    call: Call, upgates: Upgates, make_shop: MakeShop, shops: Shops
) -> None:
    shop_id = await make_shop(
        token="shop-1",
        key="moda",
        state="uninstalled",
        settings={"stock.write": True},
        subscribed_at=NOON,
        api_key=None,
    )

    await call("install", upgates.install("shop-1", apiUrl="https://other.admin.s2.upgates.com/api/v2"))

    shop = await shops.get(shop_id)
    assert (shop.key, shop.settings.yes("stock.write"), shop.subscribed_at) == ("moda", True, None)


# --- a walk -------------------------------------------------------------------------------------------------


@pytest.fixture
def api() -> ShopApi:
    return ShopApi()


@pytest.fixture
async def worker(
    engine: AsyncEngine, cipher: Cipher, outside: Outside, api: ShopApi
) -> AsyncIterator[WorkerContainer]:
    """The background side, over a shop's API with scripted answers and without a budget."""
    async with httpx.AsyncClient(transport=httpx.MockTransport(api)) as http:
        yield WorkerContainer(
            settings=settings(encryption_keys=KEY, public_url="https://upbridge.example"),
            systems=SYSTEMS,
            engine=engine,
            cipher=cipher,
            clock=lambda: outside.now,
            http=http,
            ledger=Unlimited(),  # type: ignore[arg-type]
            targets={},
            webhook_url=lambda shop, source, event: f"https://upbridge.example/{shop.id}/{source}/{event}",
        )


class Unlimited(FakeLedger):
    """A budget without end, whose fuse never blows."""

    async def doubt(self, _shop_id: ShopId) -> None:
        """Nothing."""


@pytest.mark.rule("R8", "R28", "R29", "R56")
@how(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(steps=st.lists(st.sampled_from(STEPS), min_size=1, max_size=16))
@example(steps=["install", "open", "uninstall by an opening", "api is gone", "worker works"])
@example(steps=["install", "uninstall", "api is gone", "install", "worker works"])
@example(steps=["install", "worker works", "uninstall", "api is silent", "an hour passes", "a day passes"])
@example(steps=["install", "operator suspends", "uninstall", "api is fine", "worker works", "operator resumes"])
@example(steps=["install", "uninstall", "a day passes"])
async def test_any_walk_ends_where_the_page_says(
    *, call: Call, upgates: Upgates, outside: Outside, worker: WorkerContainer, api: ShopApi, steps: list[str]
) -> None:
    walk = Walk(call, upgates, outside, worker, api)

    for name in steps:
        await walk.step(name)

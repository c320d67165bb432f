"""docs/shop-states.md: one test per arrow that a signed call draws, and a random walk over all of them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeAlias
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as how
from hypothesis import strategies as st

from tests.conftest import NOON, MakeShop
from tests.lifecycle.conftest import Call, Outside, Rows
from tests.lifecycle.signing import API_URL, Upgates
from upbridge.shops.repository import Shops
from upbridge.shops.shop import BY_OPERATOR, BY_UPGATES, ShopState

State: TypeAlias = tuple[ShopState, str | None]
Arrow: TypeAlias = Callable[[Upgates, str], tuple[str, dict[str, Any]]]

ACTIVE: State = (ShopState.ACTIVE, None)
REFUSED: State = (ShopState.SUSPENDED, BY_UPGATES)
HELD: State = (ShopState.SUSPENDED, BY_OPERATOR)
UNINSTALLING: State = (ShopState.UNINSTALLING, None)
UNINSTALLED: State = (ShopState.UNINSTALLED, None)


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
    assert (shop.key, shop.rules.yes("stock.write"), shop.subscribed_at) == ("moda", True, None)


# --- a walk -------------------------------------------------------------------------------------------------


@dataclass
class Model:
    """What docs/shop-states.md says about one shop, in the fewest words."""

    state: State | None = None
    signed_at: datetime | None = None
    seen: set[str] = field(default_factory=set)

    def installs(self, body: dict[str, Any], at: datetime) -> int:
        if self.signed_at is not None and at < self.signed_at:
            return 403
        repeated = body["apiKey"] in self.seen
        if repeated and self.state != ACTIVE:
            return 403
        self.seen.add(body["apiKey"])
        self.signed_at = at
        self.state = HELD if self.state == HELD else ACTIVE
        return 200

    def uninstalls(self, at: datetime) -> int:
        if self.state is None:
            return 200
        fresh = str(at) not in self.seen and (self.signed_at is None or at >= self.signed_at)
        self.seen.add(str(at))
        if fresh and self.state[0] in {ShopState.ACTIVE, ShopState.SUSPENDED}:
            held = self.state[1] if self.state[0] is ShopState.SUSPENDED else None
            self.state = (ShopState.UNINSTALLING, held)
        return 200

    def opens(self, at: datetime) -> int:
        if self.state is None:
            return 404
        self.seen.add(str(at))
        return 200


STEPS = st.lists(
    st.sampled_from(
        [
            "install",
            "install again",
            "old install",
            "open",
            "uninstall",
            "uninstall by an opening",
            "uninstall again",
            "old uninstall",
            "operator suspends",
            "upgates refuses",
            "probe says gone",
        ]
    ),
    min_size=1,
    max_size=12,
)


class Walk:
    """Takes the steps on the service and on the model."""

    def __init__(self, call: Call, upgates: Upgates, shops: Shops, outside: Outside) -> None:
        self.call, self.upgates, self.shops, self.outside = call, upgates, shops, outside
        self.token = uuid4().hex
        self.model = Model()
        self.installs: list[tuple[dict[str, Any], datetime]] = []
        self.opened: datetime | None = None
        self.uninstalled: datetime | None = None

    async def step(self, name: str) -> None:
        self.outside.wait(seconds=1)
        await getattr(self, name.replace(" ", "_"))(self.outside.now)

    async def install(self, now: datetime) -> None:
        await self._install(self.upgates.install(self.token, at=now), now)

    async def install_again(self, _now: datetime) -> None:
        if self.installs:
            await self._install(*self.installs[-1])

    async def old_install(self, now: datetime) -> None:
        at = now - timedelta(seconds=500)
        await self._install(self.upgates.install(self.token, at=at), at)

    async def open(self, now: datetime) -> None:
        self.opened = now
        response = await self.call("open", self.upgates.open(self.token, at=now))
        assert response.status_code == self.model.opens(now)

    async def uninstall(self, now: datetime) -> None:
        await self._uninstall(now)

    async def uninstall_by_an_opening(self, _now: datetime) -> None:
        if self.opened:
            await self._uninstall(self.opened)

    async def uninstall_again(self, _now: datetime) -> None:
        if self.uninstalled:
            await self._uninstall(self.uninstalled)

    async def old_uninstall(self, now: datetime) -> None:
        await self._uninstall(now - timedelta(seconds=500, milliseconds=500))

    async def operator_suspends(self, _now: datetime) -> None:
        await self._move(HELD, (ShopState.ACTIVE, ShopState.SUSPENDED))

    async def upgates_refuses(self, _now: datetime) -> None:
        await self._move(REFUSED, (ShopState.ACTIVE,))

    async def probe_says_gone(self, _now: datetime) -> None:
        await self._move(UNINSTALLED, (ShopState.UNINSTALLING,))

    async def _install(self, body: dict[str, Any], at: datetime) -> None:
        self.installs.append((body, at))
        response = await self.call("install", body)
        assert response.status_code == self.model.installs(body, at)

    async def _uninstall(self, at: datetime) -> None:
        self.uninstalled = at
        response = await self.call("uninstall", self.upgates.uninstall(self.token, at=at))
        assert response.status_code == self.model.uninstalls(at)

    async def _move(self, to: State, among: tuple[ShopState, ...]) -> None:
        if self.model.state is None:
            return
        shop = await self.shops.by_token(self.token)
        await self.shops.move(shop.id, to=to[0], among=among, reason=to[1])
        if self.model.state[0] in among:
            self.model.state = to


@how(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(steps=STEPS)
async def test_any_walk_ends_where_the_page_says(
    *, call: Call, upgates: Upgates, shops: Shops, rows: Rows, outside: Outside, steps: list[str]
) -> None:
    walk = Walk(call, upgates, shops, outside)

    for name in steps:
        await walk.step(name)
        found = [(row["state"], row["reason"]) for row in await rows("shops") if row["token"] == walk.token]
        assert found == ([walk.model.state] if walk.model.state else []), name

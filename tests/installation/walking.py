"""A walk through the states of a shop: what is done to the service, and what docs/shop-states.md makes of it."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from typing import Any, TypeAlias
from uuid import uuid4

import httpx
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.installation.outside import Call, Outside
from tests.installation.signing import Upgates
from upbridge.domain.shop import BY_OPERATOR, BY_UPGATES, PROBE_PAUSE, Shop, ShopState
from upbridge.engine import lanes
from upbridge.engine.scheduler import UNINSTALL_AFTER
from upbridge.operations.pause import resume_shop, suspend_shop
from upbridge.systems.registry import SYSTEMS
from upbridge.worker_container import WorkerContainer

State: TypeAlias = tuple[ShopState, str | None]

ACTIVE: State = (ShopState.ACTIVE, None)
REFUSED: State = (ShopState.SUSPENDED, BY_UPGATES)
HELD: State = (ShopState.SUSPENDED, BY_OPERATOR)
UNINSTALLING: State = (ShopState.UNINSTALLING, None)
UNINSTALLED: State = (ShopState.UNINSTALLED, None)

#: How long a signed time is good for (SIGNATURE_MAX_AGE).
WINDOW = timedelta(seconds=900)


class Api(Enum):
    """What the shop's own API says when it is asked."""

    FINE = 200
    GONE = 401
    SILENT = 503


@dataclass
class Model:
    """What docs/shop-states.md says about one shop, in the fewest words."""

    state: State | None = None
    since: datetime | None = None
    signed_at: datetime | None = None
    seen: set[str] = field(default_factory=set)
    api: Api = Api.FINE
    question: datetime | None = None
    """When the one question whether the shop is still there is to be asked."""
    asked_at: datetime | None = None
    """When it was asked last since the state began."""
    reading: bool = False
    """Rights and webhooks are to be read."""

    def becomes(self, state: State, now: datetime) -> None:
        if state != self.state:
            self.state, self.since, self.asked_at = state, now, None

    # --- signed calls ---------------------------------------------------------------------------------------

    def installs(self, body: dict[str, Any], at: datetime, now: datetime) -> int:
        if at < now - WINDOW or (self.signed_at is not None and at < self.signed_at):
            return 403
        if body["apiKey"] in self.seen and self.state != ACTIVE:
            return 403
        self.seen.add(body["apiKey"])
        self.signed_at, self.question, self.reading, self.asked_at = at, None, True, None
        self.becomes(HELD if self.state == HELD else ACTIVE, now)
        return 200

    def uninstalls(self, at: datetime, now: datetime) -> int:
        if at < now - WINDOW:
            return 403
        if self.state is None:
            return 200
        fresh = str(at) not in self.seen and (self.signed_at is None or at >= self.signed_at)
        self.seen.add(str(at))
        if self.state[0] is not ShopState.UNINSTALLED:
            self.question = min(self.question or now, now)
        if fresh and self.state[0] in {ShopState.ACTIVE, ShopState.SUSPENDED}:
            held = self.state[1] if self.state[0] is ShopState.SUSPENDED else None
            self.becomes((ShopState.UNINSTALLING, held), now)
        return 200

    def opens(self, at: datetime) -> int:
        if self.state is None:
            return 404
        self.seen.add(str(at))
        return 200

    # --- the operator ---------------------------------------------------------------------------------------

    def suspends(self, now: datetime) -> None:
        if self.state and self.state[0] in {ShopState.ACTIVE, ShopState.SUSPENDED}:
            self.becomes(HELD, now)

    def resumes(self, now: datetime) -> None:
        if self.state and self.state[0] is ShopState.SUSPENDED:
            self.becomes(ACTIVE, now)

    # --- the worker -----------------------------------------------------------------------------------------

    def clock_strikes(self, now: datetime) -> None:
        """What the schedule does."""
        if self.state is None:
            return
        assert self.since is not None
        asks = self.state == REFUSED or self.state[0] is ShopState.UNINSTALLING
        if asks and (self.asked_at or self.since) < now - PROBE_PAUSE:
            self.question = min(self.question or now, now)
        silent = self.asked_at is not None and self.since < now - UNINSTALL_AFTER
        if self.state[0] is ShopState.UNINSTALLING and silent:
            self.becomes(UNINSTALLED, now)

    def worker_works(self, now: datetime) -> None:
        """What one slice does."""
        due = self.question is not None and self.question <= now
        if self.state is None or self.state == UNINSTALLED or not (due or (self.state == ACTIVE and self.reading)):
            return
        if self.question is not None:  # one that is not due yet is read with a slice that runs anyway
            self.question = None
            if not self._rests(now):
                self.asked_at = now
                self._is_answered(now)
        if self.state != ACTIVE or not self.reading:
            return
        if self.api is Api.FINE:
            self.reading = False
        elif self.api is Api.GONE:
            self.question = now + PROBE_PAUSE
            self.becomes(REFUSED, now)

    def _rests(self, now: datetime) -> bool:
        """One probe an hour at most, from all who ask for one."""
        assert self.state is not None
        stopped = self.state[0] in {ShopState.SUSPENDED, ShopState.UNINSTALLING}
        return stopped and self.asked_at is not None and self.asked_at > now - PROBE_PAUSE

    def _is_answered(self, now: datetime) -> None:
        assert self.state is not None
        match self.api, self.state:
            case Api.FINE, (ShopState.UNINSTALLING | ShopState.SUSPENDED, reason):
                self.becomes(HELD if reason == BY_OPERATOR else ACTIVE, now)
            case Api.GONE, (ShopState.UNINSTALLING | ShopState.ACTIVE, _):
                if self.state == ACTIVE and self.reading:
                    self.question = now + PROBE_PAUSE  # the reading is refused in the same slice
                self.becomes(UNINSTALLED, now)


STEPS = (
    "install",
    "install again",
    "old install",
    "open",
    "uninstall",
    "uninstall by an opening",
    "uninstall again",
    "old uninstall",
    "operator suspends",
    "operator resumes",
    "api is fine",
    "api is gone",
    "api is silent",
    "worker works",
    "an hour passes",
    "a day passes",
)


class Walk:
    """Takes the steps on the service and on the model."""

    def __init__(
        self, call: Call, upgates: Upgates, outside: Outside, service: WorkerContainer, api: "ShopApi"
    ) -> None:
        self.call, self.upgates, self.outside, self.service, self.api = call, upgates, outside, service, api
        self.token = uuid4().hex
        self.model = Model()
        self.installs: list[tuple[dict[str, Any], datetime]] = []
        self.opened: datetime | None = None
        self.uninstalled: datetime | None = None

    @property
    def engine(self) -> AsyncEngine:
        return self.service.engine

    async def step(self, name: str) -> None:
        """Take one step and compare where it leads."""
        self.outside.wait(seconds=1)
        self.api.says = self.model.api
        await getattr(self, name.replace(" ", "_"))(self.outside.now)
        found = await self._shop()
        state = None if found is None else (found.state, found.reason)
        assert state == self.model.state, name
        if found is not None:  # moments of the database are moments of the walk
            async with self.engine.begin() as tx:
                statement = text("UPDATE shops SET state_since = :since WHERE id = :id")
                await tx.execute(statement, {"since": self.model.since, "id": found.id})
            credentials = await self.service.shops.credentials(found.id)
            assert (credentials is None) == (self.model.state == UNINSTALLED)

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

    async def operator_suspends(self, now: datetime) -> None:
        if (shop := await self._shop()) is not None:
            await suspend_shop(self.service.shops, shop, now=self.service.clock())
        self.model.suspends(now)

    async def operator_resumes(self, now: datetime) -> None:
        if (shop := await self._shop()) is not None:
            await resume_shop(self.service.shops, shop, now=self.service.clock())
        self.model.resumes(now)

    async def api_is_fine(self, _now: datetime) -> None:
        self.model.api = Api.FINE

    async def api_is_gone(self, _now: datetime) -> None:
        self.model.api = Api.GONE

    async def api_is_silent(self, _now: datetime) -> None:
        self.model.api = Api.SILENT

    async def worker_works(self, now: datetime) -> None:
        shop = await self._shop()
        if shop is None:
            return
        async with self.engine.begin() as tx:  # the pause after a silence is over
            await tx.execute(text("DELETE FROM lanes WHERE shop_id = :id"), {"id": shop.id})
        for lane in await lanes.due(self.engine, SYSTEMS, now=now, only=shop.id):
            async with lanes.exclusive(self.engine, lane) as guard:
                assert guard is not None
                await self.service.puller.pull(lane, guard)
        self.model.worker_works(now)

    async def an_hour_passes(self, _now: datetime) -> None:
        await self._pass(hours=1, minutes=1)

    async def a_day_passes(self, _now: datetime) -> None:
        await self._pass(hours=25)

    async def _pass(self, **time: float) -> None:
        self.outside.wait(**time)
        now = self.outside.now
        await self.service.scheduler.run_once()
        self.model.clock_strikes(now)
        shop = await self._shop()
        if shop is not None and shop.state is ShopState.ACTIVE and await self._is_to_be_read(shop):
            self.model.reading = True
        await self.worker_works(now)

    async def _is_to_be_read(self, shop: Shop) -> bool:
        """Whether the day's comparison or the week's renewal is due: how often is another test's business."""
        async with self.engine.connect() as tx:
            statement = text("SELECT count(*) FROM changes WHERE shop_id = :id AND kind IN ('facts', 'webhooks')")
            return bool(await tx.scalar(statement, {"id": shop.id}))

    async def _install(self, body: dict[str, Any], at: datetime) -> None:
        self.installs.append((body, at))
        response = await self.call("install", body)
        assert response.status_code == self.model.installs(body, at, self.outside.now)

    async def _uninstall(self, at: datetime) -> None:
        self.uninstalled = at
        response = await self.call("uninstall", self.upgates.uninstall(self.token, at=at))
        assert response.status_code == self.model.uninstalls(at, self.outside.now)

    async def _shop(self) -> Shop | None:
        shops = [shop for shop in await self.service.shops.all() if shop.token == self.token]
        return shops[0] if shops else None


@dataclass
class ShopApi:
    """The shop's own API: all that is asked is answered alike."""

    says: Api = Api.FINE
    asked: int = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        if self.says is not Api.FINE:
            return httpx.Response(self.says.value, json={"messages": []})
        return httpx.Response(200, json=_ANSWERS[request.url.path.removeprefix("/api/v2")])


_ANSWERS: dict[str, dict[str, Any]] = {
    "/status": {"services": []},
    "/owner": {"owner": [{"company": "Dílna"}]},
    "/languages": {"languages": []},
    "/pricelists": {"pricelists": []},
    "/config": {"config": {}},
    "/order-statuses": {"order_statuses": []},
    "/webhooks": {"webhooks": []},
    "/webhooks/events": {"events": []},
}

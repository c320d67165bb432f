"""Webhooks of the simulated Upgates: what changed is gathered, grouped by event and delivered.

The published rules: up to 5,000 records a body, only the last state of an item, create before update before
delete; 1 second, after which the call counts as delivered; anything but 200 or 204 is repeated every 5 minutes.
https://www.upgates.com/a/webhooks
"""

import asyncio
import contextlib
import json
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import httpx

from upbridge_sandbox.background import BackgroundCalls
from upbridge_sandbox.seed.formats import Json, moment
from upbridge_sandbox.shop import Delivery, Shop, Webhook
from upbridge_sandbox.state import State

TIME_OUT = 1.0
REPEAT_AFTER = 300.0
MOST_RECORDS = 5000
GATHER = 0.15
PLACES = 50
"""So many calls are made at once; the second of one that waits for its place has not begun."""
LAST_STATUS_OF_GOOD = (200, 204)
ARRAYS = {
    "Orders": "orders",
    "Products": "products",
    "OrderStatuses": "statuses",
    "Customers": "customers",
    "Languages": "languages",
    "Pricelists": "pricelists",
    "Shipments": "shipments",
    "Payments": "payments",
}
"""What each event's body calls its records; those of the last four are not published."""
VERBS = ("create", "update", "delete")


@dataclass(frozen=True, slots=True)
class Record:
    """One item of an announcement; `array` is where it stands in the body."""

    due: float
    event: str
    array: str
    key: str
    body: Json


class Announcer(BackgroundCalls):
    """Delivers the webhooks of every shop; `run` is its endless loop, `flush` one turn of it."""

    def __init__(self, state: State) -> None:
        super().__init__(httpx.Limits(max_connections=PLACES, max_keepalive_connections=20))
        self.state = state
        self.waiting: dict[str, list[Record]] = defaultdict(list)
        self._places = asyncio.Semaphore(PLACES)

    async def run(self) -> None:
        """Deliver until cancelled."""
        while True:
            self.flush()
            await asyncio.sleep(GATHER)

    def announce(self, shop: Shop, event: str, key: str, body: Json, *, array: str = "") -> None:
        """Something changed: due now, or never, twice or late where that was asked for."""
        faults, rng = shop.webhook_faults, self.state.rng.of(f"webhooks-{shop.name}")
        if not any(hook.event == event and hook.active_yn for hook in shop.webhooks.values()):
            return
        luck, due = [rng.random() for _ in range(3)], time.monotonic()
        if faults.stopped or luck[0] < faults.lose_share:
            shop.lost_records.append((event, key))
            return
        if luck[1] < faults.late_share:
            due += faults.late_seconds
        array = array or ARRAYS[event.partition(".")[0]]
        self.waiting[shop.name].append(Record(due, event, array, key, body))
        if luck[2] < faults.double_share:
            self.waiting[shop.name].append(Record(due + faults.late_seconds / 2, event, array, key, body))

    def pending(self, shop: Shop) -> int:
        """Records that are still to be delivered."""
        return len(self.waiting[shop.name]) + len(self.tasks)

    def flush(self) -> None:
        """Send what is due, an event and a subscription at a time."""
        now = time.monotonic()
        for name, records in self.waiting.items():
            due = [record for record in records if record.due <= now]
            shop = self.state.shops.get(name)
            if not due or shop is None:
                continue
            self.waiting[name] = [record for record in records if record.due > now]
            for event, bodies in self._bodies(shop, due):
                for hook in [item for item in shop.webhooks.values() if item.event == event and item.active_yn]:
                    for body, ids in bodies:
                        self.start(self._deliver(shop, hook, body, ids))

    def _bodies(self, shop: Shop, due: list[Record]) -> Iterable[tuple[str, list[tuple[bytes, tuple[str, ...]]]]]:
        grouped: dict[str, dict[tuple[str, str], Record]] = defaultdict(dict)
        for record in due:
            grouped[record.event].pop((record.array, record.key), None)
            grouped[record.event][record.array, record.key] = record
        events = sorted(grouped, key=lambda event: VERBS.index(event.partition(".")[2]))
        if shop.webhook_faults.reorder:
            self.state.rng.of("reorder").shuffle(events)
        for event in events:
            records = list(grouped[event].values())
            if shop.webhook_faults.reorder:
                self.state.rng.of("reorder").shuffle(records)
            chunks = [records[at : at + MOST_RECORDS] for at in range(0, len(records), MOST_RECORDS)]
            yield event, [self._body(shop, event, chunk) for chunk in chunks]

    def _body(self, shop: Shop, event: str, records: list[Record]) -> tuple[bytes, tuple[str, ...]]:
        body: dict[str, Any] = {"project_name": shop.project_name, ARRAYS[event.partition(".")[0]]: []}
        if event == "Products.delete":
            body["variants"] = []
        for record in records:
            body[record.array].append(record.body)
        ids = tuple(record.key for record in records)
        return json.dumps(body, ensure_ascii=True).replace("/", "\\/").encode(), ids

    async def _deliver(self, shop: Shop, hook: Webhook, body: bytes, ids: tuple[str, ...]) -> None:
        attempt = 1
        while hook.id in shop.webhooks and hook.active_yn:
            async with self._places:
                delivered = await self._once(shop, hook, body, ids, attempt)
            if delivered:
                return
            attempt += 1
            await asyncio.sleep(self.state.wait(REPEAT_AFTER))

    async def _once(self, shop: Shop, hook: Webhook, body: bytes, ids: tuple[str, ...], attempt: int) -> bool:
        """One call; True where Upgates counts it as delivered."""
        at, headers = self.state.now(), {"Content-Type": "application/json", "User-Agent": "Upgates"}
        answered = await self.post(hook.url, within=TIME_OUT, content=body, headers=headers)
        if answered.timed_out:
            outcome = "late"
            self.state.call_log.violation("webhooks", "late-webhook-answer", f"POST {hook.event}", shop.name)
        elif answered.response is None:
            outcome = "unreachable"
        else:
            outcome = "ok" if answered.status in LAST_STATUS_OF_GOOD else "refused"
        status = answered.status
        shop.deliveries.append(
            Delivery(at, hook.id, hook.event, len(ids), answered.seconds, status, outcome, attempt, ids)
        )
        if outcome in ("ok", "late"):
            hook.last_success_call, hook.last_success_call_status = moment(at), status
            return True
        hook.last_error_call, hook.last_error_call_status = moment(at), status
        return False


def timings(shop: Shop) -> Json:
    """How long the add-on took to answer: p50, p99 and the longest, in seconds."""
    taken = sorted(item.seconds for item in shop.deliveries if item.outcome in ("ok", "refused", "late"))
    outcomes: dict[str, int] = defaultdict(int)
    for item in shop.deliveries:
        outcomes[item.outcome] += 1
    return {
        "count": len(taken),
        "p50": _quantile(taken, 0.5),
        "p99": _quantile(taken, 0.99),
        "max": taken[-1] if taken else None,
        "records": sum(item.records for item in shop.deliveries),
        "outcomes": dict(outcomes),
    }


def _quantile(values: list[float], share: float) -> float | None:
    if not values:
        return None
    return values[min(len(values) - 1, int(share * len(values)))]


async def stop(task: asyncio.Task[None]) -> None:
    """Cancel a loop and wait for its end."""
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task

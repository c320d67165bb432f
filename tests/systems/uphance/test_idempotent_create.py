"""Never two, never none: each order is there exactly once, after a loss, a cut or a kill at any point."""

import random
from collections import Counter
from datetime import timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.clock import NOON, MovableClock
from tests.support.fake_uphance import FakeLinks, FakeMemory, FakeUphance, target_in_memory
from tests.support.orders import EVA, make_order
from tests.support.uphance import mapping_context
from upbridge.core.errors import LoginRefused, Throttled, Unreachable
from upbridge.domain.delivery import Delivered, DesiredDocument, Document, Link, Retry
from upbridge.systems.uphance.target import UphanceTarget


class Killed(BaseException):
    """The process died."""


class Chaos:
    """Breaks requests before and after they are applied, saves of links, and whole processes; then calms down."""

    def __init__(self, uphance: FakeUphance, seed: int, share: float) -> None:
        self.uphance = uphance
        self.random = random.Random(seed)
        self.share = share

    def strikes(self) -> bool:
        return self.random.random() < self.share

    def may_kill(self) -> None:
        if self.strikes():
            raise Killed

    def fault(self, request: httpx.Request) -> httpx.Response | Exception | None:
        if not self.strikes():
            return None
        if self.random.random() < 0.2:
            raise Killed
        faults: list[httpx.Response | Exception] = [
            httpx.ReadTimeout("lost"),
            httpx.RemoteProtocolError("cut"),
            httpx.Response(500, json={}),
            httpx.Response(503),
            httpx.Response(200, text=""),
        ]
        return self.random.choice(faults)

    def refusal(self, request: httpx.Request) -> httpx.Response | Exception | None:
        """What honestly says that nothing was applied, or any fault before it was."""
        if request.method == "POST" and request.url.path in ("/customers", "/sales_orders") and self.strikes():
            at = self.uphance.clock() + timedelta(seconds=self.random.randrange(175))
            self.uphance.late.append((at, request))
            return httpx.ReadTimeout("applied when nobody waits for it any more")
        if self.strikes():
            busy = httpx.Response(429, headers={"Retry-After": "1"})
            return httpx.ConnectError("down") if self.random.random() < 0.5 else busy
        return self.fault(request)


class ShakyLinks(FakeLinks):
    """Links whose process dies now and then, before or after a save."""

    chaos: Chaos

    async def save(self, *links: Link) -> None:
        self.chaos.may_kill()
        await super().save(*links)
        self.chaos.may_kill()


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    share=st.sampled_from([0.05, 0.1, 0.2]),
    honours=st.booleans(),
)
@pytest.mark.situation("lost")
async def test_every_order_is_in_uphance_exactly_once(seed: int, share: float, honours: bool) -> None:
    clock, links = MovableClock(NOON), ShakyLinks()
    uphance = FakeUphance(clock, page=3, honours_since_id=honours)
    links.chaos = chaos = Chaos(uphance, seed, share)
    uphance.orders = [{"id": number, "purchase_order_ref": None, "organisation_id": 5} for number in range(1, 5)]
    uphance.before, uphance.after = chaos.refusal, chaos.fault
    vault = uphance.vault()
    shoppers = [EVA, EVA.model_copy(update={"customer_id": None, "email": "a@example.com"})]
    orders = [make_order(order_number=str(number), shopper=shoppers[number % 2]) for number in range(4)]
    waiting = {one.order_number: one for one in orders}

    for round_ in range(400):
        if round_ == 200:
            chaos.share = 0  # the faults end; the rest has to come right
        target = target_in_memory(uphance, FakeMemory())
        documents = [document(target, one, links) for one in waiting.values()]
        try:
            async for settled in target.sender(mapping_context().connection, vault, links).push(
                documents, mapping_context()
            ):
                for sent, outcome in settled:
                    chaos.may_kill()  # before the engine could settle
                    assert isinstance(outcome, Delivered | Retry), outcome
                    if isinstance(outcome, Delivered):
                        links.rows["order", sent.key] = Link("order", sent.key, remote_id=outcome.remote_id)
                        del waiting[sent.key]
        except (Killed, Unreachable, Throttled, LoginRefused):
            pass
        clock.move(seconds=20)
        if not waiting:
            break

    references = Counter(row["purchase_order_ref"] for row in uphance.orders if row["purchase_order_ref"])
    assert references == {f"UPG-shop-{one.order_number}": 1 for one in orders}
    assert Counter(row["reference"] for row in uphance.customers) == {
        "UPG-shop-77": 1,
        "UPG-shop-a@example.com": 1,
    }
    assert not waiting


def document(target: UphanceTarget, one: Any, links: FakeLinks) -> Document:
    [draft] = target.desired_documents(one, mapping_context())
    assert isinstance(draft, DesiredDocument)
    link = links.rows.get((draft.kind, draft.key))
    return Document(draft.kind, draft.key, draft.parent, 1, draft.body, draft.hash, 0, link)

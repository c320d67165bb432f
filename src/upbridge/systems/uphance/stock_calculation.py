"""The arithmetic of stock that is written back: the number itself, what differs, and the guard. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import ROUND_FLOOR, Decimal

from upbridge.core.canonical_json import canonical, fingerprint
from upbridge.domain.delivery import DesiredDocument
from upbridge.domain.mass_change import is_large
from upbridge.domain.variant_key import is_product

KIND = "stock"
GUARD = "stock.guard"
"""Why a number waits for a person, as its document says."""


@dataclass(frozen=True, slots=True)
class Level:
    """A variant of the shop with the SKU that it is in Uphance, one to one."""

    key: str
    """`v-<variant_id>`, or `p-<product_id>` of a product without variants."""
    code: str
    shown: Decimal
    """What the shop shows now."""
    quantity: int
    """What Uphance says (`stock.quantity` chooses which of its numbers)."""
    sku_id: int


@dataclass(frozen=True, slots=True)
class QueuedNumber:
    """A number that is in the outbox already."""

    hash: bytes
    state: str
    reason: str | None

    @property
    def held(self) -> bool:
        """Whether the guard keeps it."""
        return self.state == "parked" and self.reason == GUARD

    @property
    def takes_back(self) -> bool:
        """Whether a person wants the number that stood there before, instead of Uphance's."""
        return self.hash.startswith(_BACK)


@dataclass(frozen=True, slots=True)
class Tally:
    """What a run would do, as the guard judges it."""

    matched: int
    in_stock: int
    """Of the matched, how many the shop shows as in stock."""
    changed: int
    """Numbers that the run would write and that no person has approved before."""
    zeroed: int
    """Of these, how many become 0."""


@dataclass(slots=True)
class StockPlan:
    """What the outbox needs after a look at all levels."""

    put: list[DesiredDocument] = field(default_factory=list)
    fresh: set[str] = field(default_factory=set)
    """Of `put`, the keys on which the guard has its say."""
    withdraw: set[str] = field(default_factory=set)
    tally: Tally = Tally(0, 0, 0, 0)


def number(quantity: int, pieces: Decimal, safety: int) -> int:
    """The stock to show: what Uphance says less open pieces less what is kept back, whole and never below 0."""
    return max(0, int((quantity - pieces - safety).to_integral_value(ROUND_FLOOR)))


@dataclass(slots=True)
class StockComparison:
    """Compares every number with what the shop shows, level by level: a catalogue need not fit into memory.

    *waiting*: what is in the outbox, by key; *declined*: the hashes of numbers that a person has dismissed, which
    are not proposed again until they change; *run*: its moment, as the shop's history names it.
    """

    pieces: Mapping[str, Decimal]
    safety: int
    waiting: Mapping[str, QueuedNumber] = field(default_factory=dict)
    declined: Mapping[str, bytes] = field(default_factory=dict)
    run: str = ""
    _plan: StockPlan = field(default_factory=StockPlan)
    _matched: int = 0
    _in_stock: int = 0
    _zeroed: int = 0
    _kept: set[str] = field(default_factory=set)
    """What is taken back, and stays in the outbox."""

    def see(self, level: Level) -> None:
        """Look at one SKU."""
        self._matched += 1
        self._in_stock += level.shown > 0
        taken = self.pieces.get(level.key, Decimal())
        wanted = number(level.quantity, taken, self.safety)
        there = self.waiting.get(level.key)
        if there is not None and there.takes_back and self.declined.get(level.key) == mark_of(level.code, wanted):
            self._kept.add(level.key)
            return
        if level.shown == wanted:
            return
        document = _document(level, wanted, taken, self.safety, self.run)
        if self.declined.get(level.key) == document.hash:
            return
        self._plan.put.append(document)
        if there is None or there.hash != document.hash or there.held:
            self._plan.fresh.add(level.key)
            self._zeroed += wanted == 0

    def plan(self) -> StockPlan:
        """What follows, once all were seen."""
        wanted = {document.key for document in self._plan.put} | self._kept
        self._plan.withdraw = {key for key in self.waiting if key not in wanted}
        self._plan.tally = Tally(self._matched, self._in_stock, len(self._plan.fresh), self._zeroed)
        return self._plan


def needs_a_person(tally: Tally, percent: int) -> bool:
    """Whether a run is so large that a person should approve it first (`stock.guard_percent`): more than *percent*
    of the matched SKUs, or all that is in stock where there are few (`domain.mass_change`)."""
    return is_large(tally.changed, tally.matched, taken=tally.zeroed, there=tally.in_stock, percent=percent)


def _document(level: Level, wanted: int, taken: Decimal, safety: int, run: str) -> DesiredDocument:
    """One number, with all that explains it. Two are the same if the shop would get the same number."""
    body = {
        "code": level.code,
        "level": "product" if is_product(level.key) else "variant",
        "written": wanted,
        "uphance": level.quantity,
        "open": taken,
        "safety": safety,
        "sku": level.sku_id,
        "shown": level.shown,
        "run": run,
    }
    mark = mark_of(level.code, wanted)
    return DesiredDocument(kind=KIND, key=level.key, parent=level.key, body=canonical(body), hash=mark)


def mark_of(code: str, number_: int | Decimal) -> bytes:
    """What tells a number of the shop from any other."""
    return fingerprint(canonical([code, number_]))


#: How the mark of a document begins that takes a number back.
_BACK = b"back"


def take_back(key: str, code: str, *, shown: Decimal, before: Decimal, run: str) -> DesiredDocument:
    """The number that stood *before* a run, instead of the one that is *shown* and that the run has written."""
    body = {
        "code": code,
        "level": "product" if is_product(key) else "variant",
        "written": before,
        "shown": shown,
        "run": run,
        "undone": shown,
    }
    mark = _BACK + mark_of(code, before)[len(_BACK) :]
    return DesiredDocument(kind=KIND, key=key, parent=key, body=canonical(body), hash=mark)

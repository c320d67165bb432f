"""Problems in words: one sentence for a cause, and for each problem only what differs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from upbridge.core.i18n import Texts
from upbridge.core.parsing import digits
from upbridge.domain.delivery import is_guard
from upbridge.domain.shop import Shop
from upbridge.insights.words import cause_words, difference_words, line_words, size_words, those_words
from upbridge.operations.many_problems import can_be_handled, can_be_tried
from upbridge.store.problem_queries import ListedProblem
from upbridge.systems.base import Systems
from upbridge.web.formatting import cause_id, problem_words
from upbridge.web.queries.problems import OF_ORDERS, OF_PRODUCTS, Group, Known, resolutions_of

#: What a sentence names that is an amount of money.
_MONEY = frozenset({"total", "difference", "theirs", "ours", "sum", "expected"})
#: What the name of a record says already.
_NAMING = {"order": ("number",), "shipment": ("number",), "product": ("title", "sku"), "stock": ("code",)}


@dataclass(frozen=True, slots=True)
class ProblemRow:
    """A problem as the page lists it. *page*: where it leads to; *admin*: where the shop's admin shows it; *said*:
    what only it says, line by line; *tried_at*: when it was tried last without success."""

    id: int
    key: str
    """What the product calls the record."""
    name: str
    page: str | None
    admin: str | None
    said: tuple[str, ...]
    technical: str | None
    since: datetime
    tried_at: datetime | None
    under_way: bool
    tried: bool
    """Whether it has a button to try it again."""
    handled: bool
    """Whether it has a button to close it by hand."""
    cause: str = ""
    dismissed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class CauseRows:
    """A cause as the page shows it. *sentence*: what is said of all its problems; empty where each says its
    own."""

    id: str
    key: str
    target: str
    kind: str
    title: str
    size: str
    those: str
    """The same as what a button does something with."""
    thing: str
    """What one of them is called."""
    count: int
    newest: int
    since: datetime
    sentence: str
    remedy: str | None
    rows: tuple[ProblemRow, ...]
    amount: int
    """How many changes a guard holds."""
    guard: bool
    """Whether it is a guard, which is answered where its numbers are shown."""
    own: bool
    """Whether it is a question with answers of its own."""

    @property
    def tried(self) -> bool:
        """Whether its problems can be tried again."""
        return any(row.tried or row.under_way for row in self.rows)

    @property
    def handled(self) -> bool:
        """Whether its problems can be closed by hand."""
        return any(row.handled for row in self.rows)

    @property
    def under_way(self) -> int:
        """How many of the rows are being tried again."""
        return sum(row.under_way for row in self.rows)


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes problems of *shop* in words."""

    texts: Texts
    systems: Systems
    shop: Shop
    known: Known

    def cause(self, group: Group) -> CauseRows:
        """A cause with its rows."""
        one, texts = group.cause, self.texts
        key = f"problem.{one.key}"
        alike = one.number == 1 or one.same or not texts.placeholders(key)
        sentence = ""
        if texts.has(key) and not texts.placeholders(key):
            sentence = texts.get(key)
        elif texts.has(key) and alike and group.shown:
            sentence = self._words(group.shown[0])
        elif texts.has(f"problems.{one.key}"):
            sentence = texts.get(f"problems.{one.key}")
        params = group.shown[0].problem.params if group.shown else {}
        return CauseRows(
            id=cause_id(one.key, one.target),
            key=one.key,
            target=one.target,
            kind=one.kind,
            title=cause_words(one.key, texts),
            size=size_words(one.kind, one.number, texts),
            those=those_words(one.kind, one.number, texts),
            thing=self._thing(one.kind),
            count=one.number,
            newest=one.newest,
            since=one.first,
            sentence=sentence,
            remedy=resolutions_of(self.systems).get(one.key),
            rows=tuple(self.row(each, full=not sentence, same=alike) for each in group.shown),
            amount=params.get("changed") or params.get("off") or 0,
            guard=is_guard(one.key),
            own=texts.has(f"ui.approve.{one.key}"),
        )

    def row(self, one: ListedProblem, *, full: bool, same: bool = False) -> ProblemRow:
        """A problem; *full*: with its whole sentence, else with what differs from the others of its cause, if they
        are not the *same*."""
        about = one.problem
        words = self._words(one)
        said = (words,) if full else () if same else tuple(self._details(one))
        under_way = about.id in self.known.under_way
        question = is_guard(about.key) or self.systems.agreed_once(about.key)
        return ProblemRow(
            id=about.id,
            key=about.entity,
            name=self.name(one),
            page=self._page(one),
            admin=self._admin(one),
            said=said,
            technical=about.message if self.texts.has(f"problem.{about.key}") else None,
            since=about.since,
            tried_at=one.found_at if one.found_at and one.found_at > about.since else None,
            under_way=under_way and not question,
            tried=can_be_tried(self.systems, about.key, about.kind, one.stage) and not under_way and not question,
            handled=can_be_handled(about.kind) and not question,
            cause=cause_words(about.key, self.texts),
            dismissed_at=one.dismissed_at,
        )

    def _words(self, one: ListedProblem) -> str:
        other = one.problem.params.get("other")
        named = None if other is None else self._variant(str(other))
        return problem_words(one.problem, self.texts, self.systems, other=named)

    def _thing(self, kind: str) -> str:
        named = "order" if kind in OF_ORDERS else kind
        key = f"ui.find.kind_{named}"
        return self.texts.get(key) if self.texts.has(key) else self.texts.get("ui.problems.what")

    def name(self, one: ListedProblem) -> str:
        """What people call the thing that the problem is about."""
        about = one.problem
        if about.entity == about.key:
            return self.texts.get("ui.problems.whole")
        if about.kind == "connection":
            return self.systems.title(about.entity)
        if about.kind in {"right", "webhooks", "list"} and self.texts.has(f"ui.service.{about.entity}"):
            return self.texts.get(f"ui.service.{about.entity}")
        if about.kind in OF_PRODUCTS:
            title, code = str(about.params.get("title") or ""), str(about.params.get("sku") or "")
            return self._variant(about.entity) or _named(title, code) or about.entity
        return str(about.params["name"]) if about.kind == "status" and "name" in about.params else about.entity

    def _variant(self, key: str) -> str | None:
        known = self.known.variants.get(key)
        return None if known is None else _named(known.title, known.code) or None

    def _page(self, one: ListedProblem) -> str | None:
        if one.problem.entity == one.problem.key:
            return None
        if one.problem.kind in OF_ORDERS:
            return "order?number="
        return "find?q=" if one.problem.kind in OF_PRODUCTS else None

    def _admin(self, one: ListedProblem) -> str | None:
        if one.problem.kind in OF_ORDERS:
            return self.known.addresses.get(one.parent)
        variant = self.known.variants.get(one.problem.entity)
        if one.problem.kind not in OF_PRODUCTS:
            return None
        product = variant.product_id if variant is not None else digits(one.parent)
        return self.systems.platform.product_url(self.shop.api_url, product) if product else None

    def _details(self, one: ListedProblem) -> Iterator[str]:
        """What only this problem says: each value with its name, or the one value alone."""
        about = one.problem
        said = _NAMING.get(about.kind, ())
        names = [
            name
            for name in self.texts.placeholders(f"problem.{about.key}")
            if name in about.params
            and not (
                name in said and (about.entity in self.known.variants or str(about.params[name]) in self.name(one))
            )
        ]
        names = [name for name in names if name != "currency" or not _MONEY & set(names)]
        for name in names:
            value = self._value(name, about.params)
            named = len(names) > 1 and self.texts.has(f"ui.detail.{name}")
            yield f"{self.texts.get(f'ui.detail.{name}')}: {value}" if named else value

    def _value(self, name: str, params: Any) -> str:
        value = params[name]
        if name in _MONEY:
            return self.texts.price(str(value), str(params.get("currency") or ""))
        if name == "differences":
            return difference_words(str(value), self.texts, str(params.get("currency") or ""))
        if name == "other":
            return self._variant(str(value)) or str(value)
        if name == "lines":
            return line_words(str(value), self.texts)
        if isinstance(value, Sequence) and not isinstance(value, str):
            return ", ".join(str(part) for part in value)
        return str(value)


def _named(title: str | None, code: str | None) -> str:
    return f"{title} ({code})" if title and code else title or code or ""

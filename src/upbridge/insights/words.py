"""What keeps a shop from being all well, in words: the same on pages and in mails."""

import re

from upbridge.core.i18n import Texts
from upbridge.domain.shop import BY_A_PERSON, BY_LOST_KEY, Shop, ShopState
from upbridge.insights.news import News
from upbridge.systems.base import Systems


def news_words(one: News, shop: Shop, texts: Texts, systems: Systems) -> str:
    """What it is, what follows from it, and what helps."""
    if one.reason == "stopped":
        return texts.get(f"ui.state.{state_of(shop)}", at=shop.state_since)
    kinds = [texts.get(f"ui.kind.{kind}").lower() for kind in one.kinds]  # they stand within a sentence
    system = "" if one.system is None else systems.title(one.system)
    return texts.get(f"ui.news.{one.reason}", count=one.count, at=one.at, system=system, kinds=kinds)


def state_of(shop: Shop) -> str:
    """The last part of the key of the shop's state."""
    told = shop.state is ShopState.SUSPENDED and shop.reason in (*BY_A_PERSON, BY_LOST_KEY)
    return f"suspended_{shop.reason}" if told else str(shop.state)


def size_words(kind: str, number: int, texts: Texts) -> str:
    """How many things of *kind* there are."""
    if texts.has(f"ui.size.{kind}"):
        return texts.get(f"ui.size.{kind}", count=number)
    return texts.get("ui.problems.size", count=number)


def those_words(kind: str, number: int, texts: Texts) -> str:
    """How many things of *kind*, in the case in which a verb has them: "try 5 orders again"."""
    name = kind if texts.has(f"ui.those.{kind}") else "other"
    return texts.get(f"ui.those.{name}", count=number)


def difference_words(said: str, texts: Texts, currency: str = "") -> str:
    """What differs between two states of an order, as it was noted ("A1: 2x 20 → 3x 30; delivery"), in words, with
    the order's *currency* behind each amount where it is known."""

    def money(found: re.Match[str]) -> str:
        return texts.price(found["amount"], currency) if currency else texts.money(found["amount"])

    def part(one: str) -> str:
        name, colon, values = one.partition(": ")
        named = texts.get(f"ui.differs.{name}") if texts.has(f"ui.differs.{name}") else name
        return f"{named}{colon}{values}"

    def pieces(found: re.Match[str]) -> str:
        return texts.get("ui.differs.pieces", quantity=texts.number(found["quantity"]), amount=money(found))

    named = "; ".join(part(one) for one in said.split("; "))
    total = re.sub(rf"(?<=(?:: |→ )){_AMOUNT}(?= →|;|$)", money, named)
    return re.sub(rf"(?P<quantity>\d+(?:\.\d+)?)x {_AMOUNT}", pieces, total)


def line_words(said: str, texts: Texts) -> str:
    """Lines of an order as a problem notes them, "A1: 1.5, B2: 3", with the numbers as the reader writes them."""
    return _NOTED.sub(lambda found: texts.number(found[0]), said)


#: The number of pieces behind a line's name.
_NOTED = re.compile(r"(?<=: )-?\d+\.\d+(?=, |$)")
_AMOUNT = r"(?P<amount>-?\d+(?:\.\d+)?)"


def cause_words(key: str, texts: Texts) -> str:
    """What a problem's cause is called."""
    return texts.get(f"ui.cause.{key}") if texts.has(f"ui.cause.{key}") else texts.get("ui.problems.other")

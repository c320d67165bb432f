"""The causes of which a shop's people hear by mail, and what they are called. They come from the same lights and
problems as the pages, and a mail names no order, no product and no customer: causes, sizes and moments alone."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from upbridge.core.i18n import Texts
from upbridge.domain.shop import BY_SHOP, Shop, ShopState
from upbridge.insights.flow_lights import Light
from upbridge.insights.news import News
from upbridge.insights.words import cause_words, news_words, size_words
from upbridge.store.problem_queries import OpenCause
from upbridge.systems.base import Systems

#: What comes in one go is one mail: a cause waits for others for so long.
GATHERED = timedelta(seconds=30)
#: What usually passes by itself is reported only when it lasts.
_PASSING = {reason: timedelta(hours=1) for reason in ("blocked", "incomplete", "no_worker")}
#: What keeps a flow waiting and needs no person as long as it does not stop it; or a person knows of it anyway.
_QUIET = frozenset({"shop_silent", "source_silent", "import_paused"})
#: The cause that hides all others: nothing is known of them as long as it lasts.
SUSPENDED = "news:stopped"


@dataclass(frozen=True, slots=True)
class NoticeKind:
    """One cause: its name in `notices`, how long it may pass by itself, and what a mail says of it."""

    name: str
    about: News | OpenCause
    settles_in: timedelta = GATHERED

    @property
    def stops(self) -> bool:
        """Whether it stops flows."""
        return isinstance(self.about, News) and self.about.light is Light.STOPPED

    @property
    def since(self) -> datetime | None:
        """When the first of it came, where that is known."""
        return self.about.first if isinstance(self.about, OpenCause) else None

    def text(self, shop: Shop, texts: Texts, systems: Systems) -> str:
        """What more there is to say of it."""
        if isinstance(self.about, News):
            return news_words(self.about, shop, texts, systems)
        size = size_words(self.about.kind, self.about.number, texts)
        return texts.get("mail.size_since", size=size, at=self.about.first)


def issues(shop: Shop, news: Iterable[News], problems: Iterable[OpenCause]) -> Iterator[NoticeKind]:
    """The causes that a person has to hear of. Of a shop that is stopped as a whole there is that one alone."""
    for one in news:
        stopped = one.light is Light.STOPPED
        if one.reason == "stopped" and shop.reason == BY_SHOP:
            continue  # its own staff did it
        if stopped or (one.light is Light.ATTENTION and one.reason not in _QUIET):
            where = "+".join(one.kinds) if one.reason == "incomplete" else one.system
            name = f"news:{one.reason}" + (f":{where}" if where else "")
            yield NoticeKind(name, one, _PASSING.get(one.reason, GATHERED))
    if shop.state is ShopState.ACTIVE:
        for cause in problems:
            yield NoticeKind(f"problem:{cause.key}:{cause.target}:{cause.kind}", cause)


def called(name: str, texts: Texts, systems: Systems) -> str:
    """What the cause *name* is called; also where it is over."""
    sort, _, rest = name.partition(":")
    key, _, where = rest.partition(":")
    if sort == "problem":
        return cause_words(key, texts)
    return texts.get(f"mail.cause.{key}", system=systems.title(where))

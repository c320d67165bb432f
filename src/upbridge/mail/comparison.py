"""What a mail has to report: the causes that are there, held against those that a mail has reported."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.domain.shop_id import ShopId
from upbridge.store import notices
from upbridge.store.notices import Begun, Notice

#: A cause that is gone is over when it has not come back for so long: what comes and goes makes no mails.
SETTLED = timedelta(seconds=30)
_SEEN_EVERY = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class NoticeCause:
    """What a reader has to hear of: its name, and what the mail says it is."""

    name: str
    about: str = ""
    settles_in: timedelta = timedelta(0)
    """How long it may pass by itself before a mail reports it."""


@dataclass(frozen=True, slots=True)
class NoticeComparison:
    """What a look has found."""

    begun: tuple[NoticeCause, ...] = ()
    """To be told now."""
    over: tuple[Notice, ...] = ()
    """To be told now: it was told of, and has gone."""
    fresh: tuple[NoticeCause, ...] = ()
    """New, without a notice; among them those of `begun`."""
    known: tuple[int, ...] = ()
    """The notices of the others of `begun`."""
    seen: tuple[int, ...] = ()
    gone: tuple[int, ...] = ()
    forgotten: tuple[int, ...] = ()
    """It has gone before a mail reported it, or its reader gets no mails any more."""

    @property
    def silent(self) -> bool:
        """Whether there is nothing to report."""
        return not self.begun and not self.over

    async def keep(
        self,
        tx: AsyncConnection,
        shop_id: ShopId | None,
        reader: bytes,
        *,
        told: bool,
        over_told: bool | None = None,
        now: datetime,
    ) -> None:
        """Remember what was found. *told*: the mail that reports what has begun is written in the same
        transaction; *over_told*: and what is over, by default likewise. What it does not report waits."""
        named = {one.name for one in self.begun} if told else set()
        fresh = [Begun(one.name, one.about, one.name in named) for one in self.fresh]
        ended = self.over if (told if over_told is None else over_told) else ()
        await notices.forget(tx, [*self.forgotten, *(one.id for one in ended)])
        await notices.begin(tx, shop_id, reader, fresh, now=now)
        await notices.seen(tx, self.seen, now=now)
        await notices.gone(tx, self.gone, now=now)
        await notices.told(tx, self.known if told else (), now=now)


def compare(
    about: Sequence[Notice], causes: Mapping[str, NoticeCause], reader: bytes, now: datetime
) -> NoticeComparison:
    """Hold the *causes* that are there at *now* against the notices *about* them."""
    mine = {one.cause: one for one in about if one.reader == reader}
    fresh = tuple(one for name, one in causes.items() if name not in mine)
    begun = [one for one in fresh if not one.settles_in]
    over, known, seen, gone = [], [], [], []
    forgotten = [one.id for one in about if one.reader != reader]
    for name, notice in mine.items():
        cause = causes.get(name)
        if cause is not None:
            if notice.gone_at is not None or now - notice.seen_at >= _SEEN_EVERY:
                seen.append(notice.id)
            if notice.told_at is None and now - notice.began_at >= cause.settles_in:
                begun.append(cause)
                known.append(notice.id)
        elif notice.told_at is None:
            forgotten.append(notice.id)
        elif notice.gone_at is None:
            gone.append(notice.id)
        elif now - notice.gone_at >= SETTLED:
            over.append(notice)
    return NoticeComparison(
        begun=tuple(begun),
        over=tuple(over),
        fresh=fresh,
        known=tuple(known),
        seen=tuple(seen),
        gone=tuple(gone),
        forgotten=tuple(forgotten),
    )

"""What a shop's people hear by mail, where they chose to: one mail when something needs them or has stopped, one
when it is over, and a summary of the day or the week.

No mail goes out at night, and no more than `MOST_A_DAY` a day; what is over by the morning is not reported.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import groupby
from uuid import uuid4

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.core.clock import PRAGUE, begin_of_day
from upbridge.core.encryption import digest
from upbridge.core.i18n import Texts
from upbridge.domain.shop import Shop, ShopState
from upbridge.domain.shop_id import ShopId
from upbridge.domain.shop_settings import Hours
from upbridge.insights.flow_states import FlowFacts, flow_states, see_many
from upbridge.insights.news import TOLD_BY_LIGHTS, news_of
from upbridge.mail import digests
from upbridge.mail.causes import GATHERED, SUSPENDED, NoticeKind, called, issues
from upbridge.mail.comparison import NoticeCause, NoticeComparison, compare
from upbridge.mail.composing import Content, Item, MailPart
from upbridge.mail.post_office import PostOffice
from upbridge.mail.stopping import StopAddresses, load_stop_addresses
from upbridge.store import connections, letters, notices
from upbridge.store.connections import ConnectionRow
from upbridge.store.notices import Notice
from upbridge.store.problem_queries import OpenCause, open_causes
from upbridge.store.schema_version import schema_version
from upbridge.store.shops import Shops
from upbridge.systems.base import Systems

log = structlog.get_logger(__name__)

#: More mails than this a day a shop's people do not get; the last one says so.
MOST_A_DAY = 10
#: Between two mails about new problems at least so much time passes. What stops flows waits for nothing.
PAUSE = timedelta(minutes=15)
_NEVER = timedelta(days=36_500)


@dataclass(frozen=True, slots=True)
class _Sight:
    """What is known of all shops."""

    seen: Mapping[ShopId, FlowFacts]
    rows: Mapping[ShopId, Mapping[str, ConnectionRow]]
    problems: Mapping[ShopId, Sequence[OpenCause]]
    notices: Mapping[ShopId, Sequence[Notice]]
    digests: frozenset[str]
    """The summaries that are written already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MerchantWatch:
    """Looks for what the people of shops have to hear of. *origin*: where our own pages are; *nights*: whether
    quiet hours hold; *support*: how our support is reached."""

    post: PostOffice
    shops: Shops
    systems: Systems
    origin: str
    nights: bool = True
    support: tuple[str, ...] = ()

    async def look(self) -> None:
        """Compare what is with what was reported, and write the mails that report the difference."""
        now = self.post.clock()
        if (await schema_version(self.post.engine)).problem is not None:
            return
        addresses = await load_stop_addresses(self.post.engine, self.post.cipher)
        async with self.post.engine.begin() as tx:
            if not await notices.my_turn(tx, "shops"):
                return
            readers = await self.shops.with_mail(tx)
            known = await notices.of_shops(tx)
            reading = {shop.id for shop in readers}
            await notices.forget(tx, [one.id for one in known if one.shop_id not in reading])
            if readers:
                sight = await self._see(tx, readers, known, now)
                for shop in readers:
                    await self._tell(tx, _Desk(self, shop, addresses, now), sight)

    async def _see(
        self, tx: AsyncConnection, readers: Sequence[Shop], known: Sequence[Notice], now: datetime
    ) -> _Sight:
        ids = [shop.id for shop in readers]
        rows: dict[ShopId, dict[str, ConnectionRow]] = {}
        for row in await connections.of_shops(tx, ids):
            rows.setdefault(row.shop_id, {})[row.system] = row
        causes: dict[ShopId, list[OpenCause]] = {}
        for cause in await open_causes(tx, ids, apart=TOLD_BY_LIGHTS):
            causes.setdefault(cause.shop_id, []).append(cause)
        about: dict[ShopId, list[Notice]] = {}
        for one in known:
            if one.shop_id is not None:
                about.setdefault(one.shop_id, []).append(one)
        due = [name for shop in readers if (name := digests.name_of(shop, now)) is not None]
        written = frozenset(await letters.written(tx, due))
        return _Sight(await see_many(tx, self.systems, ids), rows, causes, about, written)

    async def _tell(self, tx: AsyncConnection, desk: "_Desk", sight: _Sight) -> None:
        shop, now = desk.shop, desk.now
        found = self._issues(shop, sight, now)
        about = sight.notices.get(shop.id, ())
        compared = desk.compared(about, found)
        sent = await letters.written_since(tx, shop.id, begin_of_day(now.astimezone(PRAGUE).date()))
        awake = sent < MOST_A_DAY and not desk.night
        begun = awake and desk.may_begin(compared, about, found)
        over = awake and bool(compared.over)
        if begun or over:
            content = desk.content(compared if begun else replace(compared, begun=()), found, over=over)
            await desk.write(tx, content, once=f"causes:{uuid4()}", last=sent == MOST_A_DAY - 1)
            sent += 1
            log.info("merchant_notified", shop_id=str(shop.id), begun=begun, over=over)
        await compared.keep(tx, shop.id, desk.reader, told=begun, over_told=over, now=now)
        name = digests.name_of(shop, now)
        if name is not None and name not in sight.digests and sent < MOST_A_DAY and not desk.night:
            content = await digests.content(tx, shop, list(found.values()), self.systems, now=now)
            await desk.write(tx, content, once=name, last=sent == MOST_A_DAY - 1)

    def _issues(self, shop: Shop, sight: _Sight, now: datetime) -> dict[str, NoticeKind]:
        seen = sight.seen[shop.id]
        flows = flow_states(self.systems, shop, sight.rows.get(shop.id, {}), seen, now)
        news = news_of(shop, flows, seen, platform=self.systems.platform.name)
        return {one.name: one for one in issues(shop, news, sight.problems.get(shop.id, ()))}


@dataclass(frozen=True, slots=True)
class _Desk:
    """Where the mails to the people of one shop are written at one moment."""

    watch: MerchantWatch
    shop: Shop
    addresses: StopAddresses
    now: datetime

    @property
    def to(self) -> str:
        return str(self.shop.settings.get("notify.email"))

    @property
    def reader(self) -> bytes:
        return digest(self.to)

    @property
    def texts(self) -> Texts:
        return Texts(self.shop.language)

    @property
    def night(self) -> bool:
        hours = str(self.shop.settings.get("notify.quiet"))
        return self.watch.nights and Hours.among(hours, self.now.astimezone(PRAGUE).hour)

    def compared(self, about: Sequence[Notice], found: Mapping[str, NoticeKind]) -> NoticeComparison:
        """What has begun and what is over. What begins within the time of gathering is in one mail."""
        causes = {name: NoticeCause(name, settles_in=one.settles_in) for name, one in found.items()}
        if self.shop.state is not ShopState.ACTIVE:
            # Nothing is known of the others now: they are neither new nor over.
            hidden = (one.cause for one in about if one.cause != SUSPENDED and one.cause not in causes)
            causes |= {name: NoticeCause(name, settles_in=_NEVER) for name in hidden}
        compared = compare(about, causes, self.reader, self.now)
        if not compared.begun:
            return compared
        gathered = {
            name: replace(one, settles_in=timedelta(0)) if one.settles_in <= GATHERED else one
            for name, one in causes.items()
        }
        return compare(about, gathered, self.reader, self.now)

    def may_begin(
        self, compared: NoticeComparison, about: Sequence[Notice], found: Mapping[str, NoticeKind]
    ) -> bool:
        """Whether what has begun is reported now: at once what stops flows, else not right after the last mail."""
        if any(found[one.name].stops for one in compared.begun):
            return True
        last = max((one.told_at for one in about if one.told_at is not None), default=None)
        return bool(compared.begun) and (last is None or self.now - last >= PAUSE)

    def content(self, compared: NoticeComparison, found: Mapping[str, NoticeKind], *, over: bool) -> Content:
        """The mail that reports what has begun, and what is over."""
        texts, systems = self.texts, self.watch.systems
        begun = [found[one.name] for one in compared.begun]
        ended = [called(one.cause, texts, systems) for one in compared.over] if over else []
        titles = [called(one.name, texts, systems) for one in begun]
        items = [
            Item(title, one.text(self.shop, texts, systems)) for title, one in zip(titles, begun, strict=True)
        ]
        stops = any(one.stops for one in begun)
        state = ("stopped" if stops else "attention") if begun else "over"
        parts = [
            MailPart(texts.get(f"mail.part.{name}"), tuple(told))
            for name, told in (("begun", items), ("over", [Item(title) for title, _ in groupby(ended)]))
            if told
        ]
        what = (titles or ended)[0]
        count = len(titles or ended)
        said = texts.get(f"mail.state.{state}")
        several = texts.get("mail.subject.several", state=said, count=count)
        return Content(
            language=texts.language,
            subject=texts.get("mail.subject.one", state=said, what=what) if count == 1 else several,
            heading=said,
            opening=texts.get("mail.shop", shop=self.shop.name),
            parts=tuple(parts),
        )

    async def write(self, tx: AsyncConnection, content: Content, *, once: str, last: bool) -> None:
        """Put *content* into the outbox, with the way to the add-on and the way to stop such mails."""
        texts = self.texts
        admin = self.watch.systems.platform.admin_url(self.shop.api_url)
        closing = [texts.get("mail.how")]
        if last:
            closing.append(texts.get("mail.last_today", count=MOST_A_DAY))
        if self.watch.support:
            closing.append(texts.get("mail.support", contact=self.watch.support))
        finished = replace(
            content,
            button=(texts.get("mail.open"), admin or f"{self.watch.origin}/ui/mail/where"),
            closing=tuple(closing),
            stop_words=texts.get("mail.stop"),
            stop=f"{self.watch.origin}/ui/mail/{self.addresses.token(self.shop.id, self.to)}",
        )
        await self.watch.post.write(tx, finished, to=self.to, once=once, shop_id=self.shop.id)

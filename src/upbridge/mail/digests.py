"""The summary of a day or a week that a shop's people may choose: orders, shipments, and what waits for them."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.core.clock import PRAGUE, begin_of_day
from upbridge.core.i18n import Texts
from upbridge.domain.shop import Shop
from upbridge.mail.causes import NoticeKind, called
from upbridge.mail.composing import Content, Item, MailPart
from upbridge.store.order_events import delivered_since
from upbridge.store.orders import count_orders
from upbridge.systems.base import Systems

#: The hour in Prague from which on a summary is sent.
HOUR = 7
_WEEK = 7


def period(shop: Shop, now: datetime) -> tuple[date, date] | None:
    """The first day of the newest summary that is due, and the day after its last; None where none is."""
    local = now.astimezone(PRAGUE)
    chosen = shop.settings.get("notify.digest")
    today = local.date() if local.hour >= HOUR else local.date() - timedelta(days=1)
    if chosen == "daily":
        return today - timedelta(days=1), today
    if chosen == "weekly":
        monday = today - timedelta(days=today.weekday())
        return monday - timedelta(days=_WEEK), monday
    return None


def name_of(shop: Shop, now: datetime) -> str | None:
    """The name of the letter with the newest summary that is due; None where none is."""
    days = period(shop, now)
    return None if days is None else f"digest:{shop.settings.get('notify.digest')}:{shop.id}:{days[1]}"


async def content(
    tx: AsyncConnection, shop: Shop, issues: Sequence[NoticeKind], systems: Systems, *, now: datetime
) -> Content:
    """The newest summary that is due: what was made, sent and shipped in it, and what needs a person now."""
    days = period(shop, now)
    assert days is not None
    since, until = begin_of_day(days[0]), begin_of_day(days[1])
    texts = Texts(shop.language)
    made = await count_orders(tx, shop.id, since=since, until=until - timedelta(microseconds=1))
    sent = await delivered_since(tx, shop.id, since, until)
    orders = [texts.get("mail.digest.orders", count=made)]
    orders += [
        texts.get("mail.digest.delivered", count=sent[name], system=title)
        for name, title in systems.titles.items()
        if sent.get(name)
    ]
    if shipped := sent.get(systems.platform.name):
        orders.append(texts.get("mail.digest.shipped", count=shipped))
    waiting = [Item(called(one.name, texts, systems), one.text(shop, texts, systems)) for one in issues] or [
        Item(texts.get("mail.digest.nothing_waits"))
    ]
    last = days[1] - timedelta(days=1)
    told = texts.day(days[0]) if days[0] == last else f"{texts.day(days[0])} \N{EN DASH} {texts.day(last)}"
    return Content(
        language=texts.language,
        subject=texts.get("mail.digest.subject", days=told),
        heading=texts.get("mail.digest.heading", days=told),
        opening=texts.get("mail.shop", shop=shop.name),
        parts=(
            MailPart(texts.get("mail.digest.part_orders"), tuple(Item(line) for line in orders)),
            MailPart(texts.get("mail.digest.part_waits"), tuple(waiting)),
        ),
    )

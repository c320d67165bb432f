"""What the operator hears of by mail: one when something has stopped, one when it is over.

Every process looks, the first one writes: a web process sees that there is no worker. What only one machine
or one version sees (its disk, a schema that it cannot run on) only that one declares to be over. The texts are
English, as all that operators read.
"""

import shutil
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from uuid import uuid4

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.core.clock import PRAGUE
from upbridge.core.encryption import digest
from upbridge.domain.shop import BY_LOST_KEY, BY_OPERATOR
from upbridge.mail.comparison import NoticeCause, NoticeComparison, compare
from upbridge.mail.composing import Content, Item, MailPart
from upbridge.mail.post_office import PostOffice
from upbridge.store import connections, heartbeat, letters, notices, secrets, shop_queries
from upbridge.store.connections import Breakage, DeadLogin
from upbridge.store.notices import Notice
from upbridge.store.schema import HEAD
from upbridge.store.schema_version import schema_version
from upbridge.systems.base import Systems

log = structlog.get_logger(__name__)

#: A schema that this version cannot run on is the usual state in the middle of an upgrade.
UPGRADE = timedelta(minutes=2)
#: A machine whose disk was nearly full has not looked for so long: it is no more.
MACHINE_GONE = timedelta(days=1)
#: More mails than this in a day help no operator.
MOST_A_DAY = 50
_NO_KEY_OPENS_IT = "none of UPBRIDGE_ENCRYPTION_KEYS opens it any more (see `upbridge keys check`)."
_GIGABYTE = 1024**3


@dataclass(frozen=True, slots=True)
class Disk:
    """How much of a disk is free, in bytes."""

    free: int
    total: int

    def nearly_full(self, *, told: bool) -> bool:
        """Whether less than a twentieth or a gigabyte is free; once told, until there is clearly more."""
        return self.free < max(self.total * (0.08 if told else 0.05), _GIGABYTE * (1.5 if told else 1))


def disk_of(folder: Path) -> Disk:
    """The disk that *folder* is on, or will be when it is made."""
    there = next(path for path in (folder.resolve(), *folder.resolve().parents) if path.exists())
    usage = shutil.disk_usage(there)
    return Disk(usage.free, usage.total)


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorWatch:
    """Looks for what the operator has to hear of. *since*: when this process began to."""

    post: PostOffice
    to: str
    systems: Systems
    disk: Callable[[], Disk]
    since: datetime
    host: str = socket.gethostname()

    async def look(self) -> None:
        """Compare what is with what was told, and write the mail that tells the difference."""
        now = self.post.clock()
        problem = (await schema_version(self.post.engine)).problem
        async with self.post.engine.begin() as tx:
            if not await notices.my_turn(tx, "operator"):
                return
            notes = await notices.of_operator(tx)
            known = [one for one in notes if self._mine(one, now, usable=problem is None)]
            told = {one.cause for one in known if one.told_at is not None}
            causes = [_schema(problem)] if problem is not None else await self._causes(tx, told, now)
            found = compare(known, {one.name: one for one in causes}, digest(self.to), now)
            await self._tell(tx, found, now)

    def _mine(self, notice: Notice, now: datetime, *, usable: bool) -> bool:
        """Whether this process can say that it is over. On a schema that is not ours it reads no other table. For
        a machine that has not looked for a day, any other one can."""
        kind, _, whose = notice.cause.partition(":")
        if kind == "schema":
            return whose == HEAD
        return usable and (kind != "disk" or whose == self.host or now - notice.seen_at >= MACHINE_GONE)

    async def _causes(self, tx: AsyncConnection, told: set[str], now: datetime) -> list[NoticeCause]:
        found = [_suspended(key, reason) for key, reason in await shop_queries.suspended(tx)]
        found += [
            NoticeCause(f"login:{one.system}:{one.shop_key}", _dead(one, self.systems.title(one.system)))
            for one in await connections.dead_logins(tx)
        ]
        if not await secrets.opened_by(tx, self.post.cipher):
            found.append(
                NoticeCause(
                    "keys",
                    f"The encryption keys of {self.host} do not open what is stored: it was not started again with"
                    " the keys that the service uses now, or a key is lost. `upbridge keys check` says what"
                    " UPBRIDGE_ENCRYPTION_KEYS does not open, and the page docs/running.md what helps.",
                )
            )
        beat = await heartbeat.last_beat(tx)
        if now - max(self.since, beat or self.since) >= heartbeat.NO_WORKER:
            last = "none was ever there" if beat is None else f"the last was there at {_moment(beat)}"
            found.append(
                NoticeCause(
                    "worker", f"No worker is alive, {last}: nothing is read or sent. Start `upbridge worker`."
                )
            )
        name = f"disk:{self.host}"
        disk = self.disk()
        if disk.nearly_full(told=name in told):
            free = f"{disk.free / _GIGABYTE:.1f} of {disk.total / _GIGABYTE:.0f} GB are free"
            found.append(NoticeCause(name, f"The disk of {self.host} is nearly full: {free}."))
        return found

    async def _tell(self, tx: AsyncConnection, found: NoticeComparison, now: datetime) -> None:
        tell = not found.silent and await letters.written_since(tx, None, _midnight(now)) < MOST_A_DAY
        if tell:
            await self.post.write(tx, _content(found), to=self.to, once=f"operator:{uuid4()}")
            log.info(
                "operator_notified",
                begun=[one.name for one in found.begun],
                over=[one.cause for one in found.over],
            )
        await found.keep(tx, None, digest(self.to), told=tell, now=now)


def _suspended(key: str, reason: str | None) -> NoticeCause:
    if reason == BY_OPERATOR:
        why = f"by an operator: `upbridge shops resume {key}` ends it."
    elif reason == BY_LOST_KEY:
        why = f"because {_NO_KEY_OPENS_IT} Put the key back, or its staff activates the add-on again."
    else:
        why = "because Upgates refuses its credentials. It is asked once an hour whether it is back."
    return NoticeCause(f"suspended:{key}", f"Shop {key} is suspended, {why}")


def _dead(login: DeadLogin, title: str) -> str:
    by_hand = f"`upbridge shops connect {login.shop_key} {login.system}`"
    again = f"its staff enters it again on the page Connections, or you do with {by_hand}."
    whose = f"The login of shop {login.shop_key} at {title}"
    match login.by:
        case Breakage.ELSEWHERE:
            return f"{whose} leads to another account: nothing is sent there. Was that meant, {again}"
        case Breakage.UNREADABLE:
            return f"{whose} is dead: {_NO_KEY_OPENS_IT} Put the key back, or {again}"
        case _:
            return f"{whose} is dead: {again}"


def _schema(problem: str) -> NoticeCause:
    return NoticeCause(f"schema:{HEAD}", f"This version cannot run: {problem}.", settles_in=UPGRADE)


def _midnight(now: datetime) -> datetime:
    return now.astimezone(PRAGUE).replace(hour=0, minute=0, second=0, microsecond=0)


def _moment(at: datetime) -> str:
    return f"{at.astimezone(PRAGUE):%Y-%m-%d %H:%M:%S} (Prague)"


def _content(found: NoticeComparison) -> Content:
    begun = [Item(*_split(one.about)) for one in found.begun]
    over = [Item(_split(one.about)[0], f"It began at {_moment(one.began_at)}.") for one in found.over]
    parts = [MailPart(heading, tuple(items)) for heading, items in (("Needs you", begun), ("Over", over)) if items]
    return Content(
        language="en",
        subject=_subject(found.begun, found.over),
        heading="Something needs you" if begun else "It is over",
        parts=tuple(parts),
        closing=("`upbridge doctor` and `upbridge problems list` tell more.",),
    )


def _split(about: str) -> tuple[str, str]:
    """What it is, and what more there is to say."""
    title, sign, more = about.partition(": ")
    return (title, more[:1].upper() + more[1:]) if sign else (about, "")


def _subject(begun: Sequence[NoticeCause], over: Sequence[Notice]) -> str:
    """One thing by its name, several by their number."""
    first = begun[0].about if begun else over[0].about
    if len(begun) + len(over) == 1:
        name = first.partition(": ")[0].partition(",")[0].rstrip(".")
        return f"Upbridge: {name}" if begun else f"Upbridge: over: {name}"
    counts = [f"{len(begun)} new"] * bool(begun) + [f"{len(over)} over"] * bool(over)
    return f"Upbridge: {' and '.join(counts)}"

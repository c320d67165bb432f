"""The outbox of mails: what was written is sent by whichever process comes first, until the mail server has it."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import uuid4

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from upbridge.core.clock import Clock
from upbridge.core.encryption import Cipher, DecryptionError
from upbridge.core.errors import Rejected, Unreachable
from upbridge.domain.mail import Letter
from upbridge.domain.shop_id import ShopId
from upbridge.mail.composing import Content, as_html, as_plain
from upbridge.mail.smtp import Mailer
from upbridge.store import letters, secrets

log = structlog.get_logger(__name__)

#: How many mails one round sends at most; the others wait for the next.
AT_ONCE = 20
#: After so many tries, most of a day, a mail is given up: what it tells of is old then.
MOST_TRIES = 24
_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=1)


def pause_after(tries: int) -> timedelta:
    """How long a mail waits after a number of tries: a minute, doubled each time, at most an hour."""
    return min(_FIRST_PAUSE * float(2 ** min(tries - 1, 12)), _LONGEST_PAUSE)


@dataclass(frozen=True, slots=True, kw_only=True)
class PostOffice:
    """Writes mails into the outbox and sends them."""

    mailer: Mailer
    engine: AsyncEngine
    cipher: Cipher
    clock: Clock

    async def write(
        self, tx: AsyncConnection, content: Content, *, to: str, once: str, shop_id: ShopId | None = None
    ) -> bool:
        """Put a mail into the outbox, in the transaction of what it tells of; returns False if there is one with
        the name *once* already."""
        letter = Letter(
            to=to,
            subject=content.subject,
            plain=as_plain(content),
            html=as_html(content),
            message_id=f"<{uuid4()}@{self.mailer.sender.domain}>",
            stop=content.stop,
        )
        return await letters.write(tx, self.cipher, letter, once=once, shop_id=shop_id, now=self.clock())

    async def send_due(self) -> int:
        """Send what is due, until the mail server fails; returns how many it took. No transaction is open
        meanwhile."""
        for sent in range(AT_ONCE):
            async with self.engine.begin() as tx:
                claimed = await letters.claim(tx, now=self.clock())
            if claimed is None or not await self._send(claimed):
                return sent
        return AT_ONCE

    async def _send(self, claimed: letters.ClaimedLetter) -> bool:
        """Send one letter; returns whether the mail server can be asked for more."""
        said: dict[str, object] = {"letter": claimed.id, "attempts": claimed.attempts}
        if claimed.shop_id is not None:
            said["shop_id"] = str(claimed.shop_id)
        try:
            letter = claimed.opened(self.cipher)
            await self.mailer.send(letter, now=self.clock())
        except DecryptionError:
            async with self.engine.begin() as tx:
                if not await secrets.opened_by(tx, self.cipher):
                    # Another process has the keys. It comes first next time, or after this one.
                    await letters.put_off(tx, claimed.id, until=self.clock() + _FIRST_PAUSE, reason="other keys")
                    return False
            log.error("mail_unreadable", see="UPBRIDGE_ENCRYPTION_KEYS", **said)  # noqa: TRY400
            await self._end(claimed, "no key opens it")
        except Rejected as error:
            log.warning("mail_refused", reason=str(error), **said)
            await self._end(claimed, str(error))
        except Unreachable as error:
            if claimed.attempts >= MOST_TRIES:
                log.error("mail_given_up", reason=str(error), **said)  # noqa: TRY400
                await self._end(claimed, str(error))
                return False
            until = self.clock() + pause_after(claimed.attempts)
            log.warning("mail_waits", reason=str(error), until=until.isoformat(), **said)
            async with self.engine.begin() as tx:
                await letters.put_off(tx, claimed.id, until=until, reason=str(error))
            return False
        else:
            log.info("mail_sent", **said)
            await self._end(claimed, None)
        return True

    async def _end(self, claimed: letters.ClaimedLetter, reason: str | None) -> None:
        async with self.engine.begin() as tx:
            await letters.end(tx, claimed.id, now=self.clock(), reason=reason)

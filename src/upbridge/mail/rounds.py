"""The rounds of mail: look what is to be told, and send what is due, beside the other work of a process.

What writes and sends mails is imported where there is a mail server: all others, commands too, do without it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine

from upbridge.core.clock import Clock
from upbridge.core.encryption import Cipher, DecryptionError
from upbridge.core.telemetry.database_outage import DATABASE
from upbridge.domain.mail import sender
from upbridge.settings import Settings
from upbridge.store.shops import Shops
from upbridge.systems.base import Systems

if TYPE_CHECKING:
    from upbridge.mail.merchant import MerchantWatch
    from upbridge.mail.operator import OperatorWatch
    from upbridge.mail.post_office import PostOffice

log = structlog.get_logger(__name__)

#: Seconds between two rounds.
EVERY = 5.0
#: The merchants' causes are looked for in every so many rounds: it is a look at all shops.
_MERCHANTS = 3


@dataclass(frozen=True, slots=True)
class Rounds:
    """What a process does about mail; nothing where no mail server is set."""

    operator: "OperatorWatch | None" = None
    merchants: "MerchantWatch | None" = None
    post: "PostOffice | None" = None

    @classmethod
    def of(
        cls,
        settings: Settings,
        *,
        engine: AsyncEngine,
        cipher: Cipher,
        systems: Systems,
        clock: Clock,
        origin: str,
    ) -> "Rounds":
        """The rounds that the settings ask for. *origin*: where browsers reach our own pages."""
        if settings.mail is None or settings.mail_from is None:
            return cls()
        from upbridge.mail.merchant import MerchantWatch  # noqa: PLC0415
        from upbridge.mail.operator import OperatorWatch, disk_of  # noqa: PLC0415
        from upbridge.mail.post_office import PostOffice  # noqa: PLC0415
        from upbridge.mail.smtp import Mailer  # noqa: PLC0415

        mailer = Mailer(settings.mail, sender(settings.mail_from))
        post = PostOffice(mailer=mailer, engine=engine, cipher=cipher, clock=clock)
        operator = settings.operator_email and OperatorWatch(
            post=post,
            to=settings.operator_email,
            systems=systems,
            disk=lambda: disk_of(settings.data_dir),
            since=clock(),
        )
        merchants = MerchantWatch(
            post=post,
            shops=Shops(engine, cipher, systems.settings),
            systems=systems,
            origin=origin,
            nights=not settings.allow_insecure,
            support=tuple(filter(None, (settings.support_email, settings.support_phone))),
        )
        return cls(operator or None, merchants, post)

    async def once(self, *, merchants: bool = True) -> None:
        """One round. A step that fails keeps none of the others from being done."""
        steps: list[Callable[[], Awaitable[object]]] = []
        if self.operator is not None:
            steps.append(self.operator.look)
        if self.merchants is not None and merchants:
            steps.append(self.merchants.look)
        if self.post is not None:
            steps.append(self.post.send_due)
        for step in steps:
            try:
                await step()
            except (DBAPIError, PoolTimeout, OSError) as error:
                if not DATABASE.explains(error):
                    log.warning("mail_round_failed", reason=type(error).__name__)
            except DecryptionError:
                log.error("encryption_keys_do_not_fit", see="UPBRIDGE_ENCRYPTION_KEYS")  # noqa: TRY400
            except Exception as error:
                # The edge of the rounds: a mail that cannot be composed must not end all mails for good.
                log.exception("mail_round_failed", reason=type(error).__name__)

    async def run(self) -> None:
        """Rounds without end."""
        number = 0
        while self.post is not None:
            await self.once(merchants=number % _MERCHANTS == 0)
            number += 1
            await asyncio.sleep(EVERY)

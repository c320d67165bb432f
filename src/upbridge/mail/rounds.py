"""The rounds of mail: look what is to be told, and send what is due, beside the other work of a process."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine

from upbridge.core.clock import Clock
from upbridge.core.encryption import Cipher
from upbridge.core.telemetry.database_outage import DATABASE
from upbridge.domain.mail import sender
from upbridge.mail.operator import OperatorWatch, disk_of
from upbridge.mail.post_office import PostOffice
from upbridge.mail.smtp import Mailer
from upbridge.settings import Settings
from upbridge.systems.base import Systems

log = structlog.get_logger(__name__)

#: Seconds between two rounds.
EVERY = 5.0


@dataclass(frozen=True, slots=True)
class Rounds:
    """What a process does about mail; nothing where no mail server is set."""

    steps: Sequence[Callable[[], Awaitable[object]]] = ()

    @classmethod
    def of(
        cls, settings: Settings, *, engine: AsyncEngine, cipher: Cipher, systems: Systems, clock: Clock
    ) -> "Rounds":
        """The rounds that the settings ask for."""
        if settings.mail is None or settings.mail_from is None:
            return cls()
        mailer = Mailer(settings.mail, sender(settings.mail_from))
        post = PostOffice(mailer=mailer, engine=engine, cipher=cipher, clock=clock)
        steps: list[Callable[[], Awaitable[object]]] = []
        if settings.operator_email is not None:
            watch = OperatorWatch(
                post=post,
                to=settings.operator_email,
                systems=systems,
                disk=lambda: disk_of(settings.data_dir),
                since=clock(),
            )
            steps.append(watch.look)
        return cls([*steps, post.send_due])

    async def once(self) -> None:
        """One round. A step that fails keeps none of the others from being done."""
        for step in self.steps:
            try:
                await step()
            except (DBAPIError, PoolTimeout, OSError) as error:
                if not DATABASE.explains(error):
                    log.warning("mail_round_failed", reason=type(error).__name__)

    async def run(self) -> None:
        """Rounds without end."""
        while self.steps:
            await self.once()
            await asyncio.sleep(EVERY)

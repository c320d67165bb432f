"""A post office over a real database and a real mail server."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.support.clock import MovableClock
from tests.support.mail import Box, listening
from upbridge.core.encryption import Cipher
from upbridge.domain.mail import mail_server, sender
from upbridge.mail.post_office import PostOffice
from upbridge.mail.smtp import Mailer


@pytest.fixture
def watch() -> MovableClock:
    return MovableClock()


@pytest.fixture
async def mail() -> AsyncIterator[Box]:
    """A mail server that keeps what it is sent."""
    async with listening() as here:
        yield here


@pytest.fixture
def post(engine: AsyncEngine, cipher: Cipher, watch: MovableClock, mail: Box) -> PostOffice:
    mailer = Mailer(mail_server(mail.url()), sender("Upbridge <upbridge@example.com>"))
    return PostOffice(mailer=mailer, engine=engine, cipher=cipher, clock=watch)

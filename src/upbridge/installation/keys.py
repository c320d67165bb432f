"""Upgates' public key: loaded from its official address, kept in memory for ten minutes, never stored (R6).

Upgates recommends to load it for every request, since keys may change, and wants an answer within five seconds
even if its file server hangs: the two pull apart. Ten minutes of memory, and a fresh look after a signature that
does not fit, follow a change of the key as well; that we depart from the letter is known.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta

import httpx
import structlog

from upbridge.core.clock import Clock
from upbridge.core.errors import BadSignature, NotReady, RemoteError
from upbridge.installation.signature import load_key
from upbridge.systems.upgates.signature_key import fetch_key

log = structlog.get_logger(__name__)

#: How long a key may be used after it was last served.
KEEP = timedelta(minutes=10)
#: From this age on the key is renewed while it is still good.
RENEW = KEEP / 2
#: A signature that does not fit is worth a fresh look at the key this often; so is a key that is to be renewed.
LOOK_AGAIN = timedelta(minutes=1)
#: The longest that a caller waits for the key host.
DEADLINE_SECONDS = 1.5


@dataclass(frozen=True, slots=True)
class _Key:
    pem: bytes
    served_at: datetime


class SignatureKeys:
    """The keys that a signature may be made with now: the newest first, the one before it during an overlap."""

    def __init__(
        self, http: httpx.AsyncClient, url: str, clock: Clock, *, deadline: float = DEADLINE_SECONDS
    ) -> None:
        self._http = http
        self._url = url
        self._clock = clock
        self._deadline = deadline
        self._keys: list[_Key] = []
        self._asked_at: datetime | None = None
        self._looked_at: datetime | None = None
        """When a signature that did not fit had the key fetched. Other fetches do not use up that look: a change
        of the key right after one of them would go unnoticed for a minute."""
        self._asking: asyncio.Task[None] | None = None

    async def current(self) -> list[bytes]:
        """The keys to try, as PEM; raises `NotReady` within the deadline if there is none.

        A key that is half-way to being too old is renewed in the background; no caller waits for that.
        """
        keys = self._fresh()
        if not keys:
            await self._ask()
            keys = self._fresh()
        elif self._keys[0].served_at <= self._clock() - RENEW and self._long_ago(self._asked_at):
            self._begin()
        if not keys:
            raise NotReady("the signature key cannot be had from its address")
        return keys

    async def unseen(self, tried: list[bytes]) -> list[bytes]:
        """Keys that are not among *tried*: looks at the address again, but not more than once a minute."""
        if self._long_ago(self._looked_at):
            self._looked_at = self._clock()
            await self._ask()
        elif self._asking is not None:
            await self._ask()
        return [pem for pem in self._fresh() if pem not in tried]

    def _fresh(self) -> list[bytes]:
        oldest = self._clock() - KEEP
        self._keys = [key for key in self._keys if key.served_at > oldest]
        return [key.pem for key in self._keys]

    def _long_ago(self, moment: datetime | None) -> bool:
        return moment is None or self._clock() - moment >= LOOK_AGAIN

    async def _ask(self) -> None:
        """Fetch the key, one fetch at a time for all callers; a caller waits no longer than the deadline."""
        await asyncio.wait([self._begin()], timeout=self._deadline)

    def _begin(self) -> asyncio.Task[None]:
        if self._asking is None:
            self._asked_at = self._clock()
            self._asking = asyncio.create_task(self._fetch())
            self._asking.add_done_callback(self._asked)
        return self._asking

    def _asked(self, _task: asyncio.Task[None]) -> None:
        self._asking = None

    async def _fetch(self) -> None:
        try:
            answer = await fetch_key(self._http, self._url, self._clock, deadline=self._deadline)
            pem = answer.body.strip()
            load_key(pem)
        except (RemoteError, BadSignature) as error:
            log.warning("signature_key_not_fetched", reason=str(error))
            return
        others = [key for key in self._keys if key.pem != pem]
        if self._keys and self._keys[0].pem != pem:
            log.info("signature_key_changed")
        self._keys = [_Key(pem, self._clock()), *others]

    async def close(self) -> None:
        """End a fetch that is still under way."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait([self._asking])

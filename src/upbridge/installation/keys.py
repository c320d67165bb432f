"""Upgates' public key: loaded from its official address, kept in memory for ten minutes, never stored (R6).

Upgates recommends to load it for every request, since keys may change, and wants an answer within five seconds
even if its file server hangs: the two pull apart. Ten minutes of memory, and a fresh look after a signature that
does not fit, follow a change of the key as well; that we depart from the letter is known.

    signature does not fit ──► a look is left? ──► ask: has it changed? ──► the new key, or 403
                                    └─ no ──► "try again in a moment": it may be genuine, by a key of this second

A signature that was judged before needs no look: it belongs to a call that was accepted, or to none.

Looks come back one by one, so that calls that no key has signed neither flood the key's address nor keep a change
of the key from being noticed for longer than `LOOK_EVERY`.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta

import httpx
import structlog

from upbridge.core.bounds import KEY
from upbridge.core.clock import Clock
from upbridge.core.errors import BadSignature, NotReady, Refused, RemoteError
from upbridge.installation.signature import load_key
from upbridge.systems.upgates.signature_key import fetch_changed_key

log = structlog.get_logger(__name__)

#: How long a key may be used after it was last served.
KEEP = timedelta(minutes=10)
#: From this age on the key is renewed while it is still good.
RENEW = KEEP / 2
#: A key that is to be renewed, and cannot be had, is asked for this often.
RENEW_AGAIN = timedelta(minutes=1)
#: How many looks at the key signatures that do not fit may cause at once, and how soon one comes back.
LOOKS = 30
LOOK_EVERY = timedelta(seconds=2)
#: How many signatures are remembered that were accepted, or did not fit after a look.
_JUDGED = 4_096
#: The longest that a caller waits for the key host.
DEADLINE_SECONDS = KEY.seconds


class LookWithheld(Refused):
    """The signature fits no key that is known, and it is too early to look for a newer one; try again shortly."""

    status = 429
    code = "try_again"
    merchant = "error.try_again"


@dataclass(frozen=True, slots=True)
class _Key:
    pem: bytes
    served_at: datetime


class _Looks:
    """The looks that are left: a bucket of tokens."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._left = float(LOOKS)
        self._since = clock()

    def take(self) -> bool:
        """Use one up, if there is one."""
        now = self._clock()
        self._left = min(LOOKS, self._left + (now - self._since) / LOOK_EVERY)
        self._since = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


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
        self._looks = _Looks(clock)
        self._judged: dict[bytes, None] = {}
        """Oldest first."""
        self._version: str | None = None
        """What the address calls the newest key that it served (`ETag`)."""
        self._asking: asyncio.Task[bool] | None = None

    async def current(self) -> list[bytes]:
        """The keys to try, as PEM; raises `NotReady` within the deadline if there is none.

        A key that is half-way to being too old is renewed in the background; no caller waits for that.
        """
        keys = self._fresh()
        if not keys:
            await self._ask()
            keys = self._fresh()
        elif self._keys[0].served_at <= self._clock() - RENEW and self._long_ago():
            self._begin()
        if not keys:
            raise NotReady("the signature key cannot be had from its address")
        return keys

    async def unseen(self, tried: list[bytes], signature: bytes) -> list[bytes]:
        """Keys that are not among *tried*, for a *signature* that fits none of those: looks at the address again,
        where there is need. A look that is under way serves all callers.

        Raises `LookWithheld` if no look is left, or the address did not answer it.
        """
        if signature in self._judged and self._asking is None:
            return []
        if self._asking is None and not self._looks.take():
            raise LookWithheld
        if not await self._ask():
            raise LookWithheld("the signature fits no key that is known, and the key's address does not answer")
        self.judged(signature)
        return [pem for pem in self._fresh() if pem not in tried]

    def judged(self, signature: bytes) -> None:
        """*signature* was accepted, or fits no key that is served: no other key will have made it."""
        self._judged.pop(signature, None)
        self._judged[signature] = None
        if len(self._judged) > _JUDGED:
            del self._judged[next(iter(self._judged))]

    def _fresh(self) -> list[bytes]:
        oldest = self._clock() - KEEP
        self._keys = [key for key in self._keys if key.served_at > oldest]
        return [key.pem for key in self._keys]

    def _long_ago(self) -> bool:
        return self._asked_at is None or self._clock() - self._asked_at >= RENEW_AGAIN

    async def _ask(self) -> bool:
        """Fetch the key, one fetch at a time for all callers; a caller waits no longer than the deadline. Whether
        the address told its key."""
        done, _ = await asyncio.wait([self._begin()], timeout=self._deadline)
        return any(task.result() for task in done if not task.cancelled())

    def _begin(self) -> asyncio.Task[bool]:
        if self._asking is None:
            self._asked_at = self._clock()
            self._asking = asyncio.create_task(self._fetch())
            self._asking.add_done_callback(self._asked)
        return self._asking

    def _asked(self, _task: asyncio.Task[bool]) -> None:
        self._asking = None

    async def _fetch(self) -> bool:
        newest = self._keys[0].pem if self._keys else b""
        known = self._version if newest else None
        try:
            answer = await fetch_changed_key(
                self._http, self._url, self._clock, known=known, deadline=self._deadline
            )
            pem = newest if answer is None else answer.body.strip()
            load_key(pem)
        except (RemoteError, BadSignature) as error:
            log.warning("signature_key_not_fetched", reason=str(error))
            return False
        if answer is not None:
            self._version = answer.headers.get("etag")
        others = [key for key in self._keys if key.pem != pem]
        if self._keys and self._keys[0].pem != pem:
            log.info("signature_key_changed")
        self._keys = [_Key(pem, self._clock()), *others]
        return True

    async def close(self) -> None:
        """End a fetch that is still under way."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait([self._asking])

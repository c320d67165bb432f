"""Upgates' public key: loaded from its official address, kept in memory for ten minutes, never stored (R6).

Upgates recommends to load it for every request, since keys may change, and wants an answer within five seconds
even if its file server hangs: the two pull apart. Ten minutes of memory, and a fresh look after a signature that
does not fit, follow a change of the key as well; that we depart from the letter is known.

    signature does not fit ──► a look is left, or comes back soon ──► ask: has it changed? ──► the new key, or 403
                                    └─ its address does not answer, or too many wait ──► "try again in a moment"

A signature that was judged before needs no look: it belongs to a call that was accepted, or to none.

Looks come back one by one, so that calls that no key has signed neither flood the key's address nor keep a change
of the key from being noticed for longer than `LOOK_EVERY`. All who wait for a look share it, so a bad signature is
a 403 also while strangers send many, and a genuine one is never called bad before its key was asked for.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import httpx
import structlog

from upbridge.core.allowance import Allowance, Meter
from upbridge.core.bounds import KEY
from upbridge.core.clock import Clock
from upbridge.core.errors import BadSignature, NotReady, Refused, RemoteError
from upbridge.installation.signature import load_key
from upbridge.systems.http.published_key import fetch_changed_key

log = structlog.get_logger(__name__)

#: How long a key may be used after it was last served.
KEEP = timedelta(minutes=10)
#: From this age on the key is renewed while it is still good.
RENEW = KEEP / 2
#: A key that is to be renewed, and cannot be had, is asked for this often.
RENEW_AGAIN = timedelta(minutes=1)
#: How many looks at the key signatures that do not fit may cause at once, and how soon one comes back.
LOOKS = 30
LOOK_EVERY = timedelta(seconds=1)
#: Calls that wait for a look at the same time. The connections of a process are for others, too.
MOST_WAITING = 100
#: How many signatures are remembered that were accepted, or did not fit after a look.
_JUDGED = 4_096
#: The longest that a caller waits for the key host, and the longest with the wait for a look.
DEADLINE_SECONDS = KEY.seconds
_LONGER = 0.5


class LookWithheld(Refused):
    """The signature fits no key that is known, and whether there is a newer one cannot be said now; try again."""

    status = 429
    code = "try_again"
    merchant = "error.try_again"


@dataclass(frozen=True, slots=True)
class _Key:
    pem: bytes
    served_at: datetime


class SignatureKeys:
    """The keys that a signature may be made with now: the newest first, the one before it during an overlap."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        url: str,
        clock: Clock,
        *,
        deadline: float = DEADLINE_SECONDS,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._http = http
        self._url = url
        self._clock = clock
        self._deadline = deadline
        self._keys: list[_Key] = []
        self._asked_at: datetime | None = None
        self._sleep = sleep
        self._looks = Meter(Allowance(burst=LOOKS, rate=1 / LOOK_EVERY.total_seconds()), clock().timestamp())
        self._waiting = 0
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
        where there is need. A look that is under way, or waited for, serves all callers.

        Raises `LookWithheld` if the address does not answer in time, or too many callers wait for that.
        """
        if signature in self._judged and self._asking is None:
            return []
        if self._waiting >= MOST_WAITING:
            raise LookWithheld
        if self._asking is None:
            self._begin(after=self._looks.take(1, self._clock().timestamp()))
        self._waiting += 1
        try:
            told = await self._ask(longer=_LONGER)
        finally:
            self._waiting -= 1
        if not told:
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

    async def _ask(self, *, longer: float = 0.0) -> bool:
        """Fetch the key, one fetch at a time for all callers; a caller waits for the deadline, and so many
        seconds *longer*. Whether the address told its key."""
        done, _ = await asyncio.wait([self._begin()], timeout=self._deadline + longer)
        return any(task.result() for task in done if not task.cancelled())

    def _begin(self, *, after: float = 0.0) -> asyncio.Task[bool]:
        """The fetch that is under way, or else a new one *after* so many seconds."""
        if self._asking is None:
            self._asked_at = self._clock()
            self._asking = asyncio.create_task(self._fetch(after))
            self._asking.add_done_callback(self._asked)
        return self._asking

    def _asked(self, _task: asyncio.Task[bool]) -> None:
        self._asking = None

    async def _fetch(self, after: float) -> bool:
        if after:
            await self._sleep(after)
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

"""One call to a shop's API: declared, paid for, authenticated, judged. Everything goes through `Calls.call`.

budget ─► request ─► answer ─► budget learns ─► verdict
                                                 ├─ accept      the JSON object
                                                 ├─ moved       store the new address, repeat once
                                                 └─ otherwise   one error of the tree in errors.py
"""

import asyncio
import base64
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, NoReturn, Protocol, TypeAlias
from urllib.parse import quote

import httpx
import structlog

from upbridge.core.canonical_json import canonical
from upbridge.core.clock import PRAGUE, Clock
from upbridge.core.errors import BadRequest, LoginRefused, Rejected, Throttled, Unreachable
from upbridge.core.telemetry.metrics import REMOTE_CALLS, REMOTE_SECONDS
from upbridge.domain.purpose import Purpose
from upbridge.domain.shop_id import ShopId
from upbridge.systems.http.classify import Action, Verdict, judge
from upbridge.systems.upgates.accesses import Access
from upbridge.systems.upgates.schemas import loads
from upbridge.systems.upgates.url_policy import HostPolicy

log = structlog.get_logger(__name__)

#: The largest answer that is read; 100 products with their descriptions are a few MiB.
MAX_ANSWER = 64 * 1024 * 1024
#: Seconds for a whole call: less than the budget's lease (`budget.ledger.LEASE`), which must outlive it.
DEADLINE = 75.0

_TIMEOUT = httpx.Timeout(60.0, connect=10.0)
#: Where "too many requests" says no moment: three parallel calls are over soon, an empty hour says its moment.
_PAUSE = timedelta(seconds=30)

Json: TypeAlias = dict[str, Any]
Param: TypeAlias = str | int | bool | datetime | Iterable[str | int] | None


class Permit(Protocol):
    """One call that was paid for."""

    async def answered(self, status: int, headers: Mapping[str, str]) -> None:
        """Tell the budget what the server said about it."""


class Ledger(Protocol):
    """What the client needs of the budget; raises `Throttled` on entry where there is none left."""

    def call(self, shop_id: ShopId, *, access: str, purpose: Purpose) -> AbstractAsyncContextManager[Permit]: ...


class TooMany(Rejected):
    """The API takes fewer items in one call; nothing was done (413)."""


class AccessRefused(LoginRefused):
    """Upgates refused the credentials (401) or the right (403) of this API user."""

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.answered = status
        """401: no such login, the add-on was probably deactivated. 403: inactive, locked or without the right."""


@dataclass(frozen=True, slots=True)
class Account:
    """Where one shop's API is and how to log in to it."""

    shop_id: ShopId
    api_url: str
    api_user: str
    api_key: str = field(repr=False)

    def authorization(self) -> str:
        """The header of HTTP Basic authentication. A secret."""
        return "Basic " + base64.b64encode(f"{self.api_user}:{self.api_key}".encode()).decode()


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes | None
    """None: it was cut, too slow or too large."""
    issue: str = ""


class Calls:
    """Makes the declared calls of one shop.

    Raises `AccessRefused` (401, 403), `Throttled` (429, or the budget is spent), `TooMany` (413), `Rejected` (the
    request is wrong) and `Unreachable` (no usable answer: nobody knows whether it happened; reads may be
    repeated), and what the ledger raises where nothing was sent.
    Redirects are never followed; a 301 with `api_url` is checked by the host policy, stored by *on_moved*, and the
    call is made once more there (R55). No body, no credential and no address reaches the log or an error's text.
    """

    def __init__(
        self,
        *,
        http: httpx.AsyncClient,
        ledger: Ledger,
        account: Account,
        clock: Clock,
        policy: HostPolicy,
        on_moved: Callable[[str], Awaitable[None]],
    ) -> None:
        self._http = http
        self._ledger = ledger
        self._account = account
        self._clock = clock
        self._policy = policy
        self._on_moved = on_moved

    async def call(
        self,
        access: Access,
        *,
        purpose: Purpose,
        path: Mapping[str, str | int] | None = None,
        params: Mapping[str, Param] | None = None,
        body: Json | None = None,
    ) -> Json:
        """Make the call *access* and return the JSON object it answers. Lists in *params* are joined by `;`."""
        where = access.path.format(**{name: _segment(value) for name, value in (path or {}).items()})
        query = {name: _written(value) for name, value in (params or {}).items() if value is not None}
        content = None if body is None else canonical(body)
        answer, verdict = await self._judged(access, where, query, content, purpose)
        if verdict.action is Action.MOVED:
            await self._move(access, answer)
            answer, verdict = await self._judged(access, where, query, content, purpose)
        if verdict.action is not Action.ACCEPT:
            self._refuse(access, answer, verdict)
        return _object(access, answer)

    async def _judged(
        self, access: Access, where: str, query: Mapping[str, str], content: bytes | None, purpose: Purpose
    ) -> tuple[_Answer, Verdict]:
        """Pay for one request, send it, let the budget read its headers; one line in the log."""
        started = time.perf_counter()
        status, outcome, size = 0, "not_sent", 0
        try:
            async with self._ledger.call(self._account.shop_id, access=access.label, purpose=purpose) as permit:
                outcome = "unreachable"
                answer = await self._exchange(access, where, query, content)
                status, size = answer.status, len(answer.body or b"")
                await permit.answered(status, answer.headers)
            verdict = judge(status, answer.headers, now=self._clock())
            outcome = "cut" if answer.body is None else verdict.action.value
            if answer.body is None and verdict.action in (Action.ACCEPT, Action.MOVED):
                raise Unreachable(f"{access.name}: {answer.issue}")
            return answer, verdict
        finally:
            seconds = time.perf_counter() - started
            if outcome != "not_sent":
                REMOTE_CALLS.labels(system="upgates", operation=access.name, outcome=outcome).inc()
                REMOTE_SECONDS.labels(system="upgates", operation=access.name).observe(seconds)
            log.info(
                "upgates_called",
                shop_id=str(self._account.shop_id),
                access=access.name,
                purpose=purpose.name.lower(),
                status=status or None,
                outcome=outcome,
                seconds=round(seconds, 3),
                size=size,
            )

    async def _exchange(
        self, access: Access, where: str, query: Mapping[str, str], content: bytes | None
    ) -> _Answer:
        """Send one request; an answer whose body does not come whole keeps its status and headers."""
        headers = {
            "Authorization": self._account.authorization(),
            "Accept": "application/json",
            "Accept-Encoding": "gzip, deflate",
            "User-Agent": "Upbridge",
        }
        if content is not None:
            headers["Content-Type"] = "application/json"
        # Not build_request(): it would add the cookies that another shop on the same server has set.
        request = httpx.Request(
            access.method,
            self._account.api_url + where,
            params=dict(query) or None,
            headers=headers,
            content=content,
            extensions={"timeout": _TIMEOUT.as_dict()},
        )
        try:
            async with asyncio.timeout(DEADLINE):
                response = await self._http.send(request, stream=True, auth=None, follow_redirects=False)
                async with aclosing(response):
                    return await _read(response)
        except TimeoutError as error:
            raise Unreachable(f"{access.name}: no answer within {DEADLINE:.0f} s") from error
        except httpx.HTTPError as error:
            raise Unreachable(f"{access.name}: {type(error).__name__}") from error

    async def _move(self, access: Access, answer: _Answer) -> None:
        """The shop lives elsewhere: check the new address, have it stored, use it from now on (R55)."""
        address = _object(access, answer).get("api_url")
        try:
            api_url = self._policy.check(address if isinstance(address, str) else "")
        except BadRequest as error:
            raise Unreachable(f"{access.name}: moved to an address that is refused: {error}") from error
        if api_url == self._account.api_url:
            raise Unreachable(f"{access.name}: moved to where it is already")
        await self._on_moved(api_url)
        self._account = replace(self._account, api_url=api_url)
        log.info("upgates_moved", shop_id=str(self._account.shop_id))

    def _refuse(self, access: Access, answer: _Answer, verdict: Verdict) -> NoReturn:
        said = f"{access.name}: {answer.status} {verdict.reason}"
        match verdict.action:
            case Action.LOGIN:
                raise AccessRefused(said, status=answer.status)
            case Action.WAIT:
                raise Throttled(said, until=verdict.until or self._clock() + _PAUSE)
            case Action.SPLIT:
                raise TooMany(said, status=answer.status)
            case Action.REFUSE:
                raise Rejected(said, status=answer.status)
            case _:
                raise Unreachable(said)


async def _read(response: httpx.Response) -> _Answer:
    """The whole answer, as long as it is not too large."""
    parts: list[bytes] = []
    size = 0
    try:
        async for part in response.aiter_bytes():
            size += len(part)
            if size > MAX_ANSWER:
                return _Answer(response.status_code, response.headers, None, "the answer is too large")
            parts.append(part)
    except (httpx.HTTPError, TimeoutError) as error:
        return _Answer(response.status_code, response.headers, None, f"cut: {type(error).__name__}")
    return _Answer(response.status_code, response.headers, b"".join(parts))


def _object(access: Access, answer: _Answer) -> Json:
    try:
        found = loads(answer.body or b"")
    except (ValueError, RecursionError) as error:
        raise Unreachable(f"{access.name}: the answer is not JSON") from error
    if not isinstance(found, dict):
        raise Unreachable(f"{access.name}: the answer is not a JSON object")
    return found


def _segment(value: str | int) -> str:
    """*value* as one segment of a path; raises `Rejected` for what no path can hold."""
    written = str(value)
    if written in {"", ".", ".."}:
        raise Rejected("this cannot be a part of an address")
    return quote(written, safe="")


def _written(value: Param) -> str:
    """A parameter as the API reads it: `true`, ISO 8601 with offset, `1;2;3`."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.astimezone(PRAGUE).isoformat(timespec="seconds")
    if isinstance(value, str | int):
        return str(value)
    return ";".join(str(part) for part in value or ())

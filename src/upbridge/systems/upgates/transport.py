"""One call to a shop's API: declared, paid for, authenticated. Every call to Upgates goes through `Calls.call`.

budget ─► request ─► answer ─► budget learns ─► outcome
                                                 ├─ accept      the JSON object
                                                 ├─ moved       store the new address, repeat once
                                                 └─ otherwise   an error (`systems/http/errors.py`)
"""

import base64
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeAlias
from urllib.parse import quote

import httpx
import structlog

from upbridge.core.canonical_json import canonical
from upbridge.core.clock import PRAGUE, Clock
from upbridge.core.errors import BadRequest, Rejected, Unreachable
from upbridge.domain.purpose import Purpose
from upbridge.domain.shop_id import ShopId
from upbridge.rate_limits.record_response import Response
from upbridge.systems.accesses import Access
from upbridge.systems.http.classify import Action
from upbridge.systems.http.errors import error_of
from upbridge.systems.http.transport import HttpAnswer, Remote
from upbridge.systems.upgates.url_policy import HostPolicy

log = structlog.get_logger(__name__)

#: Where "too many requests" says no moment. Three parallel calls are over soon, an empty hour says its moment.
_PAUSE = timedelta(seconds=30)

Json: TypeAlias = dict[str, Any]
Param: TypeAlias = str | int | bool | datetime | Iterable[str | int] | None


class PaidCall(Protocol):
    """One call that was paid for."""

    async def answered(self, response: Response) -> None:
        """Tell the budget what the server said about it."""


class CallBudget(Protocol):
    """What the client needs of the budget; raises `Throttled` on entry where there is none left."""

    def call(self, shop_id: ShopId, *, access: str, purpose: Purpose) -> AbstractAsyncContextManager[PaidCall]: ...


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


class Calls:
    """Makes the declared calls of one shop.

    Raises what `error_of` makes of the answer (`CredentialsRefused`, `RightRefused`, `Throttled`, `Rejected`,
    `Unreachable` and those below them), `Throttled` if the budget is spent, and what else the ledger raises; then
    nothing was sent.
    Redirects are never followed; a 301 with `api_url` is checked by the host policy, stored by *on_moved*, and the
    call is made once more there (R55). No body, no credential and no address reaches the log or an error's text.
    """

    def __init__(
        self,
        *,
        http: httpx.AsyncClient,
        ledger: CallBudget,
        account: Account,
        clock: Clock,
        policy: HostPolicy,
        on_moved: Callable[[str], Awaitable[None]],
    ) -> None:
        self._remote = Remote("upgates", http, clock)
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
        return object_of(await self.answer(access, purpose=purpose, path=path, params=params, body=body))

    async def answer(
        self,
        access: Access,
        *,
        purpose: Purpose,
        path: Mapping[str, str | int] | None = None,
        params: Mapping[str, Param] | None = None,
        body: Json | None = None,
    ) -> HttpAnswer:
        """The same, with the answer as it came."""
        where = access.path.format(**{name: _segment(value) for name, value in (path or {}).items()})
        query = {name: _written(value) for name, value in (params or {}).items() if value is not None}
        content = None if body is None else canonical(body)
        answer = await self._paid(access, where, query, content, purpose)
        if answer.outcome.action is Action.MOVED:
            await self._move(access, answer)
            answer = await self._paid(access, where, query, content, purpose)
        if not answer.accepted:
            raise error_of(answer, now=self._clock(), pause=_PAUSE)
        return answer

    async def _paid(
        self, access: Access, where: str, query: Mapping[str, str], content: bytes | None, purpose: Purpose
    ) -> HttpAnswer:
        """Pay for one request, send it, let the budget read its headers; one line in the log."""
        started = time.perf_counter()
        answer, outcome = None, "not_sent"
        try:
            async with self._ledger.call(self._account.shop_id, access=access.label, purpose=purpose) as permit:
                outcome = "no_answer"
                answer = await self._remote.exchange(
                    access.method,
                    self._account.api_url + where,
                    operation=access.label,
                    headers={"Authorization": self._account.authorization()},
                    params=query,
                    content=content,
                )
                outcome = "cut" if answer.unusable else answer.outcome.action.value
                await permit.answered(_response(answer))
            return answer
        finally:
            log.info(
                "upgates_called",
                shop_id=str(self._account.shop_id),
                access=access.name,
                purpose=purpose.name.lower(),
                status=None if answer is None else answer.outcome.status,
                outcome=outcome,
                seconds=round(time.perf_counter() - started, 3),
                size=0 if answer is None else len(answer.body),
            )

    async def _move(self, access: Access, answer: HttpAnswer) -> None:
        """The shop lives elsewhere: check the new address, have it stored, use it from now on (R55)."""
        address = object_of(answer).get("api_url")
        try:
            api_url = self._policy.check(address if isinstance(address, str) else "")
        except BadRequest as error:
            raise Unreachable(f"{access.label}: moved to an address that is refused: {error}") from error
        if api_url == self._account.api_url:
            raise Unreachable(f"{access.label}: moved to where it is already")
        await self._on_moved(api_url)
        self._account = replace(self._account, api_url=api_url)
        log.info("upgates_moved", shop_id=str(self._account.shop_id))


def _response(answer: HttpAnswer) -> Response:
    """What the budget has to know of *answer*."""
    return Response(
        headers=answer.headers,
        accepted=answer.accepted,
        login_refused=answer.outcome.action in (Action.CREDENTIALS, Action.RIGHT),
        throttled=answer.outcome.action is Action.WAIT,
        retry_at=answer.outcome.until,
    )


def object_of(answer: HttpAnswer) -> Json:
    """The JSON object that *answer* is. Raises `Unreachable` if it is none."""
    found = answer.json()
    if not isinstance(found, dict):
        raise Unreachable(f"{answer.operation}: the answer is not a JSON object")
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

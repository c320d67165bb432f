"""The calls to Uphance, with the login and the organisation behind them.

Two things make this API unusual. The organisation is state on the server: a call chooses it, and every later call
means it (docs/vendors/uphance.md#organisation). And nothing that creates is idempotent: an answer that leaves open
whether a POST took effect is `Unreachable`, and the caller looks before it repeats.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import httpx
import structlog

from upbridge.core.clock import Clock
from upbridge.core.errors import (
    CredentialsRefused,
    LoginRefused,
    Missing,
    Rejected,
    RightRefused,
    Throttled,
    Unreachable,
)
from upbridge.domain.walk_by_id import IdWalk
from upbridge.systems.connecting import Vault
from upbridge.systems.http.classify import about_items
from upbridge.systems.http.transport import Remote
from upbridge.systems.uphance.errors import WrongOrganisation
from upbridge.systems.uphance.schemas import Json, items, meta, organisations_in, single, string, whole
from upbridge.systems.uphance.tokens import Tokens, read_tokens
from upbridge.systems.uphance.transport import Exchange

log = structlog.get_logger(__name__)

#: If Uphance asks a read to wait no longer than this, the read waits and goes on: a long list can be finished.
_LONGEST_PAUSE = timedelta(seconds=60)
_WAITS = 3
#: The first pause where no moment is named; each one after it is twice as long.
_FIRST_PAUSE = timedelta(seconds=2)

Sleep = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Organisation:
    """A company that the user of a login may work for."""

    id: int
    name: str


async def login(
    http: httpx.AsyncClient, base_url: str, clock: Clock, *, email: str, password: str
) -> tuple[Tokens, list[Organisation]]:
    """Log in once, to connect; the password is neither kept nor repeated anywhere.

    Returns the tokens to store (`Tokens.stored()`, `Tokens.renew_at`) and the organisations to choose from.
    Raises `LoginRefused`, `Throttled` or `Unreachable`.
    """
    body = {"email": email, "password": password, "grant_type": "password"}
    exchange = Exchange(Remote("uphance", http, clock), base_url)
    tokens = await _granted(exchange, body)
    payload = await exchange.call("GET", "/organisations", token=tokens.access)
    found = [
        Organisation(number, string(row.get("name")) or str(number))
        for row in _listed(payload, "organisations")
        if (number := whole(row.get("id"))) is not None
    ]
    return tokens, found


class UphanceClient:
    """One connection's calls, strictly one after another; make one for each piece of work.

    Every method raises `LoginRefused` (connect again; `WrongOrganisation` stops the connection likewise),
    `Throttled` (and until when), `Unreachable` (whether it happened is not known; `NotSent`: it did not) or
    `Rejected` (with what the server said and `answered`, the status).
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        base_url: str,
        vault: Vault,
        clock: Clock,
        organisation: int | None,
        *,
        relies_on_choice: bool = False,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        """*relies_on_choice*: reads take the organisation that was chosen for the token before. Not for who looks
        whether a thing is there before making it: an empty list of another organisation would say that it is not.
        """
        self._exchange = Exchange(Remote("uphance", http, clock), base_url)
        self._vault = vault
        self._clock = clock
        self._organisation = organisation
        self._relies = relies_on_choice
        self._sleep = sleep
        self._turn = asyncio.Lock()
        self._tokens: Tokens | None = None
        self._chosen_for: str | None = None

    async def get(self, path: str, **query: str | int) -> Any:
        """GET *path*; waits out a short "too many requests" instead of raising it."""
        for turn in range(_WAITS):
            try:
                return await self._call("GET", path, query=query)
            except Throttled as throttled:
                pause = _FIRST_PAUSE * 2**turn if throttled.until is None else throttled.until - self._clock()
                if pause > _LONGEST_PAUSE:
                    raise
                await self._sleep(max(pause.total_seconds(), 1.0))
        return await self._call("GET", path, query=query)

    async def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """POST *body* to *path*, once. After `Unreachable` (but `NotSent`) look before repeating."""
        return await self._call("POST", path, body=body)

    async def put(self, path: str, body: Mapping[str, Any]) -> Any:
        """PUT *body* to *path*, once. After `Unreachable` (but `NotSent`) look before repeating."""
        return await self._call("PUT", path, body=body)

    async def pages(self, path: str, name: str, **query: str | int) -> AsyncGenerator[list[Json], None]:
        """The list *name* page by page, in turn as the vendor asks, each row at least once.

        The list may move meanwhile (`domain/walk_by_id.py`). Raises `Unreachable` if it moves so much that nothing
        is certain, or if fewer rows came than it has: a short read must never look like a complete one. A list
        without `meta` is not paged.

        Assumption: the lists know `since_id`; it is documented for some. One that does not is read by numbers.
        """
        since = query.pop("since_id", None)
        walk = IdWalk.begin(None if since is None else int(since))
        seen = set[int | None]()
        while not walk.ended:
            asked = walk.ask
            here = {"page": asked.page} if asked.page > 1 else {}
            above = {} if asked.since is None else {"since_id": asked.since}
            payload = await self.get(path, **query, **above, **here)
            rows, where = _listed(payload, name), meta(payload)
            if where.next_page is not None and where.next_page <= asked.page:
                raise Unreachable(f"the pages of {path} do not end")
            ids = [whole(row.get("id")) for row in rows]
            seen = {*seen, *ids} if walk.looks is None or asked.page > 1 else set(ids)
            walk = walk.read(ids, last=where.next_page is None, pages=where.total_pages)
            yield rows
            if walk.ended and where.total_count is not None and len(seen) < where.total_count:
                raise Unreachable(f"{path} ended after {len(seen)} of {where.total_count}")
        if not walk.complete:
            raise Unreachable(f"{path} moved all the time while it was read")

    async def one(self, path: str, name: str) -> Json | None:
        """The single object at *path*, bare or wrapped; None if there is none (404)."""
        try:
            payload = await self.get(path)
        except Missing:
            return None
        found = single(payload, name)
        if found is None:
            raise Unreachable(f"the answer of {path} is no {name}")
        return found

    async def revoke(self) -> None:
        """Give up our own token, at a disconnection. Never `revoke_all`: that would log out the merchant's other
        integrations. A token that is dead already is no error."""
        tokens = await self._kept()
        try:
            await self._exchange.call(
                "POST", "/oauth/revoke_tokens", token=tokens.access, body={"tokens": [tokens.access]}
            )
        except LoginRefused:
            log.info("uphance_token_was_dead")

    # --- login and organisation -------------------------------------------------------------------------------

    async def _call(
        self, method: str, path: str, *, query: Mapping[str, str | int] | None = None, body: Any = None
    ) -> Any:
        async with self._turn:
            token = await self._token()
            try:
                payload = await self._chosen(token, method, path, query=query, body=body)
            except CredentialsRefused:  # nothing was done, so one repeat with a new token is safe
                token = await self._token(refused=token)
                payload = await self._chosen(token, method, path, query=query, body=body)
        self._check(payload)
        return payload

    async def _chosen(self, token: str, method: str, path: str, *, query: Any, body: Any) -> Any:
        """One call for our organisation.

        It is chosen at the first call of each client. Where reads rely on what was chosen for the token before, it
        is chosen at the first write, and when an answer is another organisation's: then it is read again. What was
        refused may be so for want of a choice: likewise.
        """
        if self._organisation is None:
            raise WrongOrganisation("no Uphance organisation was chosen")
        if self._chosen_for != token and self._relies_on_choice(method, token):
            try:
                payload = await self._exchange.call(method, path, token=token, query=query, body=body)
            except (Rejected, RightRefused):
                log.info("uphance_organisation_in_doubt")
            else:
                if not self._others(payload):
                    return payload
        if self._chosen_for != token:
            await self._choose(token, self._organisation)
            self._chosen_for = token
            await self._remember_choice(token)
        return await self._exchange.call(method, path, token=token, query=query, body=body)

    def _relies_on_choice(self, method: str, token: str) -> bool:
        kept = self._tokens
        return (
            self._relies
            and method == "GET"
            and kept is not None
            and kept.access == token
            and kept.organisation == self._organisation
        )

    async def _remember_choice(self, token: str) -> None:
        """Have other clients of the connection rely on it, unless another process has renewed the token."""
        kept = await self._kept()
        if kept.access == token and kept.organisation != self._organisation:
            self._tokens = replace(kept, organisation=self._organisation)
            await self._vault.save_tokens(self._tokens.stored(), renew_at=kept.renew_at)

    async def _choose(self, token: str, organisation: int) -> None:
        body = {"organizationId": organisation}
        try:
            payload = await self._exchange.call("POST", "/organisations/set_current_org", token=token, body=body)
        except Rejected as rejected:
            raise WrongOrganisation(
                f"Uphance did not choose organisation {organisation}: {rejected}"
            ) from rejected
        status = string(payload.get("Status")) if isinstance(payload, dict) else None
        if status is not None and status.lower() != "updated":
            raise WrongOrganisation(f"Uphance did not choose organisation {organisation}")

    async def _token(self, *, refused: str | None = None) -> str:
        """A token that is not due for renewal and is not the one that was *refused*."""
        tokens = self._tokens or await self._kept()
        if refused == tokens.access or tokens.renew_at <= self._clock():
            tokens = await self._renewed(tokens, refused=refused)
        self._tokens = tokens
        return tokens.access

    async def _kept(self) -> Tokens:
        stored = await self._vault.tokens()
        if not stored:
            raise LoginRefused("no tokens of Uphance are stored")
        return Tokens.kept(stored)

    async def _renewed(self, old: Tokens, *, refused: str | None) -> Tokens:
        current = await self._kept()  # another process may have renewed them
        if current.access not in (old.access, refused) and current.renew_at > self._clock():
            return current
        if current.refresh is None:
            if refused is None:  # as it was before refresh tokens existed: it works until it does not
                return current
            raise LoginRefused("the token of Uphance has ended and cannot be renewed")
        body = {"grant_type": "refresh_token", "refresh_token": current.refresh}
        tokens = await _granted(self._exchange, body, refresh=current.refresh)
        await self._vault.save_tokens(tokens.stored(), renew_at=tokens.renew_at)
        return tokens

    def _others(self, payload: Any) -> set[int]:
        return {number for number in organisations_in(payload) if number != self._organisation}

    def _check(self, payload: Any) -> None:
        if others := self._others(payload):
            raise WrongOrganisation(
                f"Uphance answered for organisation {min(others)} instead of {self._organisation}"
            )


async def _granted(exchange: Exchange, body: Mapping[str, str], *, refresh: str | None = None) -> Tokens:
    try:
        payload = await exchange.call("POST", "/oauth/token", body=body)
    except Rejected as rejected:
        # Assumption: as RFC 6749, 5.2 has it, or as a refusal of the content; Uphance publishes no status.
        if about_items(rejected.answered):
            raise LoginRefused("Uphance refused the login") from None
        raise Rejected("Uphance refused the login", status=rejected.answered) from None
    return read_tokens(payload, now=exchange.remote.clock(), refresh=refresh)


def _listed(payload: Any, name: str) -> list[Json]:
    rows = items(payload, name)
    if rows is None:
        raise Unreachable(f"the answer has no list of {name}")
    return rows

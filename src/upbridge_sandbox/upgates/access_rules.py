"""Whether a call to the simulated Upgates API may be made: login, lock, move, rights, limits, form.

In the order of the published status codes: 403 locked, 401, 403 inactive, 301, 404/405, 403 right, 429, 400. What
comes before the search for the operation is middleware around the routes, the rest stands around each operation.
"""

import base64
import binascii
import hmac
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from upbridge_sandbox.asgi.call import Call
from upbridge_sandbox.asgi.routing import Handler, Refused, as_response
from upbridge_sandbox.seed.formats import PRAGUE
from upbridge_sandbox.shop import Shop, Tariff
from upbridge_sandbox.state import State
from upbridge_sandbox.upgates.fields import BODIES, PARAMETERS, unknown_fields

WRONG_LOGINS = 5
PARALLEL = 3
GRACE = timedelta(seconds=1)
FREE_SERVICES = ("status", "webhooks")
PREFIX = "/api/v2"

OfShop: TypeAlias = Callable[[Call, Shop], Awaitable[Any]]
"""An operation: the call, and the shop that it belongs to."""


class CallerFirst:
    """Middleware: who calls, and at which address, is looked at before the path."""

    def __init__(self, app: ASGIApp, rules: "AccessRules") -> None:
        self.app = app
        self.rules = rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on the calls of a known API user at the shop's present address."""
        try:
            self.rules.check_caller(scope["call"])
        except Refused as refused:
            await refused.response(scope, receive, send)
        else:
            await self.app(scope, receive, send)


class AccessRules:
    """The published rules; what breaks one is refused and noted."""

    def __init__(self, state: State) -> None:
        self.state = state

    def check_caller(self, call: Call) -> None:
        """Set `call.shop`, or raise `Refused`: locked, unknown or suspended caller, or a shop that has moved."""
        shop = self._login(call)
        call.shop = shop.name
        if not call.path.startswith(PREFIX):
            raise _refused(call, "unknown-endpoint", 404)
        host = urlsplit(f"//{call.headers.get('host', '')}").hostname
        if host in shop.old_servers:
            shop.old_servers[host] += 1
            if shop.old_servers[host] > PARALLEL:
                call.violation("old-address", shop.name)
            raise Refused(JSONResponse({"api_url": self.state.api_url(shop)}, 301))

    def around(self, handler: OfShop) -> Handler:
        """*handler* for calls that have the right to it, are within the limits and of the published form."""

        async def guarded(call: Call) -> Response:
            shop = self.state.shops[call.shop]
            _check_right(call, shop)
            self._check_limits(call, shop)
            _check_form(call)
            response = as_response(await handler(call, shop))
            call.answered()
            _add_rate_headers(response, shop)
            return response

        return guarded

    def _login(self, call: Call) -> Shop:
        now = self.state.now()
        wrong = self.state.wrong_logins.setdefault(call.ip, [])
        wrong[:] = [at for at in wrong if now - at < timedelta(hours=1)]
        if len(wrong) >= WRONG_LOGINS:
            raise _refused(call, "call-while-locked", 403)
        pair = _basic(call.headers.get("authorization", ""))
        if pair is None:
            raise _refused(call, "missing-auth", 401)
        user, key = pair
        shop = self.state.shop_of_user(user)
        access = shop.access if shop else None
        if shop and access and access.user == user and hmac.compare_digest(access.key, key):
            if not access.active:
                raise Refused(_error(403, "The API user is not active"))
            return shop
        former = shop.former.get(user) if shop else None
        if shop and former and not former.gone and hmac.compare_digest(former.key, key):
            # A second activation is under way: the first one's credentials live until it has succeeded.
            return shop
        wrong.append(now)
        if shop is None or former is None:
            raise _refused(call, "wrong-login", 401)
        call.shop = shop.name
        if former.forgiven_until is not None and now <= former.forgiven_until:
            wrong.pop()
            raise Refused(_error(401, "Unauthorized"))
        if former.gone != "deactivated":
            raise _refused(call, "old-credentials", 401)
        former.status_calls += 1
        if former.status_calls > 1 or call.method != "GET" or not call.path.endswith("/status"):
            raise _refused(call, "call-after-deactivation", 401)
        raise Refused(_error(401, "Unauthorized"))

    def _check_limits(self, call: Call, shop: Shop) -> None:
        now = self.state.now()
        if call.in_flight > PARALLEL:
            raise _refused(call, "too-parallel", 429, headers=_retry(now + timedelta(seconds=1)))
        if shop.closed_until is not None and now < shop.closed_until:
            if shop.closed_since is not None and now - shop.closed_since > GRACE:
                call.violation("call-while-closed", shop.name)
            raise Refused(_error(429, "Too Many Requests", _retry(shop.closed_until)))
        if shop.tariff is None or _spend(shop.tariff, now):
            return
        shop.closed_since, shop.closed_until = now, next_hour(now)
        refused = _refused(call, "over-limit", 429, headers=_retry(shop.closed_until))
        _add_rate_headers(refused.response, shop)
        raise refused

    def busy(self, call: Call, seconds: int) -> Response:
        """429 on demand: the shop's budget is closed for *seconds* (Retry-After has whole seconds)."""
        now = self.state.now()
        until = (now + timedelta(seconds=seconds + 1)).replace(microsecond=0)
        shop = self._shop_of(call)
        if shop is not None:
            call.shop = shop.name
            if shop.closed_until is None or shop.closed_until < until:
                shop.closed_since, shop.closed_until = now, until
        return _error(429, "Too Many Requests", _retry(until))

    def caller(self, call: Call) -> str:
        """What the three parallel calls are counted by: the shop, whichever of its API users calls."""
        shop = self._shop_of(call)
        return shop.name if shop else call.ip

    def _shop_of(self, call: Call) -> Shop | None:
        """The shop whose user makes this call, be the key right or wrong."""
        pair = _basic(call.headers.get("authorization", ""))
        return self.state.shop_of_user(pair[0]) if pair else None


def not_published(call: Call, error: HTTPException) -> Response:
    """The answer to a path or a method that the published API does not have."""
    rule = "unknown-endpoint" if error.status_code == 404 else "wrong-method"  # noqa: PLR2004
    return _refused(call, rule, error.status_code).response


def _refused(
    call: Call, rule: str, status: int, detail: str = "", headers: dict[str, str] | None = None
) -> Refused:
    call.violation(rule, detail or call.shop)
    return Refused(_error(status, rule, headers))


def _check_right(call: Call, shop: Shop) -> None:
    service = call.path.removeprefix(PREFIX).strip("/").split("/")[0]
    privilege = "all" if service in FREE_SERVICES else shop.rights.get(service, "deny")
    if privilege != "all" and (privilege != "readonly" or call.method != "GET"):
        raise _refused(call, "no-right", 403, service)


def _check_form(call: Call) -> None:
    operation = call.operation.replace(PREFIX, "", 1)
    for name in dict.fromkeys(name.removesuffix("[]") for name in call.query_params):
        if name not in PARAMETERS.get(operation, ()):
            call.violation("unknown-parameter", name)
    if call.method not in ("POST", "PUT"):
        return
    if "application/json" not in call.headers.get("content-type", ""):
        call.violation("bad-content-type")
    try:
        body = call.document()
    except ValueError:
        raise _refused(call, "bad-body", 400, "not JSON") from None
    if not isinstance(body, dict):
        raise _refused(call, "bad-body", 400, "not a JSON object")
    for name in unknown_fields(body, BODIES.get(operation)):
        call.violation("unknown-field", name)


def _basic(header: str) -> tuple[str, str] | None:
    scheme, _, value = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, found, key = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return (user, key) if found else None


def _error(status: int, message: str, headers: dict[str, str] | None = None) -> Response:
    messages = [{"object": None, "property": None, "message": message, "level": "error"}]
    return JSONResponse({"success": False, "messages": messages}, status, headers)


def _retry(until: datetime) -> dict[str, str]:
    return {"Retry-After": format_datetime(until.astimezone(UTC), usegmt=True)}


def next_hour(now: datetime) -> datetime:
    """The first second of the next hour: windows are fixed."""
    return now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)


def roll(tariff: Tariff, now: datetime) -> None:
    """Start new windows where the old ones have ended; days are Prague days."""
    hour = now.replace(minute=0, second=0, microsecond=0)
    day = now.astimezone(PRAGUE).replace(hour=0, minute=0, second=0, microsecond=0)
    if tariff.hour_start != hour:
        tariff.hour_start, tariff.hour_used = hour, 0
    if tariff.day_start != day:
        tariff.day_start, tariff.day_used = day, 0


def _spend(tariff: Tariff, now: datetime) -> bool:
    """Take one call: from the hour first, then from the day's extra pool."""
    roll(tariff, now)
    if tariff.hour_used < tariff.hour:
        tariff.hour_used += 1
        return True
    if tariff.day_used < tariff.day:
        tariff.day_used += 1
        return True
    return False


def _add_rate_headers(response: Response, shop: Shop) -> None:
    """`X-Rate-Limit-*` as published; a verified add-on has no tariff and gets none."""
    tariff = shop.tariff
    if tariff is None:
        return
    hour_left, day_left = tariff.hour - tariff.hour_used, tariff.day - tariff.day_used
    for name, value in {
        "Hour": tariff.hour,
        "Day": tariff.day,
        "Hour-Remaining": hour_left,
        "Day-Remaining": day_left,
        "Total-Remaining": hour_left + day_left,
    }.items():
        response.headers[f"X-Rate-Limit-{name}"] = str(value)

"""Whether a call to the simulated Upgates API may be made: login, lock, move, rights, limits, form.

In the order of the published status codes: 403 locked, 401, 403 inactive, 301, 404/405, 403 right, 429, 400.
"""

import base64
import binascii
import hmac
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import urlsplit

from starlette.responses import Response

from upbridge_sandbox.door import Call, Routes, answer
from upbridge_sandbox.seed.formats import PRAGUE
from upbridge_sandbox.shop import Shop, Tariff
from upbridge_sandbox.state import State
from upbridge_sandbox.upgates.fields import BODIES, PARAMETERS, unknown_fields

WRONG_LOGINS = 5
PARALLEL = 3
GRACE = timedelta(seconds=1)
FREE_SERVICES = ("status", "webhooks")


class AccessRules:
    """Answers what must not pass; hands the rest to the routes with `call.shop` set."""

    def __init__(self, state: State, routes: Routes) -> None:
        self.state = state
        self.routes = routes
        self.shop: Shop | None = None

    async def handle(self, call: Call) -> Response:
        """One call, judged and answered."""
        shop = self._login(call)
        if isinstance(shop, Response):
            return shop
        call.shop = shop.name
        path = self._find_path(call, shop)
        if isinstance(path, Response):
            return path
        handler = self.routes.find(call, path)
        if isinstance(handler, int):
            rule = "unknown-endpoint" if handler == 404 else "wrong-method"  # noqa: PLR2004
            return self._refuse(call, rule, handler)
        template = call.operation
        call.operation = template.replace(" /", " /api/v2/", 1)
        refusal = self._right(call, shop, path) or self._limit(call, shop) or self._form(call, template)
        if refusal is not None:
            return refusal
        response = await handler(call)
        _rate_headers(response, shop)
        return response

    def _refuse(self, call: Call, rule: str, status: int, detail: str = "", **headers: str) -> Response:
        self.state.ledger.violation("upgates", rule, call.line, detail or call.shop)
        return _error(status, rule, headers)

    def _login(self, call: Call) -> Shop | Response:  # noqa: PLR0911 - one return per published status
        now = self.state.now()
        wrong = self.state.wrong_logins.setdefault(call.client, [])
        wrong[:] = [at for at in wrong if now - at < timedelta(hours=1)]
        if len(wrong) >= WRONG_LOGINS:
            return self._refuse(call, "call-while-locked", 403)
        pair = _basic(call.headers.get("authorization", ""))
        if pair is None:
            return self._refuse(call, "missing-auth", 401)
        user, key = pair
        shop = self.state.shop_of_user(user)
        access = shop.access if shop else None
        if shop and access and access.user == user and hmac.compare_digest(access.key, key):
            if not access.active:
                return _error(403, "The API user is not active")
            return shop
        former = shop.former.get(user) if shop else None
        if shop and former and not former.gone and hmac.compare_digest(former.key, key):
            return (
                shop  # a second activation is under way: the first one's credentials live until it has succeeded
            )
        wrong.append(now)
        if shop is None or former is None:
            return self._refuse(call, "wrong-login", 401)
        call.shop = shop.name
        if former.forgiven_until is not None and now <= former.forgiven_until:
            wrong.pop()
            return _error(401, "Unauthorized")
        if former.gone == "deactivated":
            former.status_calls += 1
            if former.status_calls > 1 or call.method != "GET" or not call.path.endswith("/status"):
                return self._refuse(call, "call-after-deactivation", 401)
            return _error(401, "Unauthorized")
        return self._refuse(call, "old-credentials", 401)

    def _find_path(self, call: Call, shop: Shop) -> str | Response:
        """The path below /api/v2, or 301 for the address that the shop had before."""
        prefix, found, path = call.path.partition("/api/v2")
        if prefix or not found:
            return self._refuse(call, "unknown-endpoint", 404)
        host = urlsplit(f"//{call.headers.get('host', '')}").hostname
        if host in shop.old_servers:
            shop.old_servers[host] += 1
            if shop.old_servers[host] > PARALLEL:
                self.state.ledger.violation("upgates", "old-address", call.line, shop.name)
            return answer({"api_url": self.state.api_url(shop)}, 301)
        return path or "/"

    def _right(self, call: Call, shop: Shop, path: str) -> Response | None:
        service = path.strip("/").split("/")[0]
        if service in FREE_SERVICES:
            return None
        privilege = shop.rights.get(service, "deny")
        if privilege == "all" or (privilege == "readonly" and call.method == "GET"):
            return None
        return self._refuse(call, "no-right", 403, service)

    def _limit(self, call: Call, shop: Shop) -> Response | None:
        now = self.state.now()
        if call.in_flight > PARALLEL:
            return self._refuse(call, "too-parallel", 429, **_retry(now + timedelta(seconds=1)))
        if shop.closed_until is not None and now < shop.closed_until:
            if shop.closed_since is not None and now - shop.closed_since > GRACE:
                self.state.ledger.violation("upgates", "call-while-closed", call.line, shop.name)
            return _error(429, "Too Many Requests", _retry(shop.closed_until))
        tariff = shop.tariff
        if tariff is None or _spend(tariff, now):
            return None
        shop.closed_since = now
        shop.closed_until = next_hour(now)
        response = self._refuse(call, "over-limit", 429, **_retry(shop.closed_until))
        _rate_headers(response, shop)
        return response

    def _form(self, call: Call, template: str) -> Response | None:
        known = PARAMETERS.get(template, frozenset())
        for name in dict.fromkeys(name.removesuffix("[]") for name, _ in call.query):
            if name not in known:
                self.state.ledger.violation("upgates", "unknown-parameter", call.line, name)
        if call.method in ("POST", "PUT"):
            if "application/json" not in call.headers.get("content-type", ""):
                self.state.ledger.violation("upgates", "bad-content-type", call.line)
            try:
                body: Any = call.json()
            except ValueError:
                return self._refuse(call, "bad-body", 400, "not JSON")
            if not isinstance(body, dict):
                return self._refuse(call, "bad-body", 400, "not a JSON object")
            for name in unknown_fields(body, BODIES.get(template)):
                self.state.ledger.violation("upgates", "unknown-field", call.line, name)
        return None

    def busy(self, call: Call, seconds: int) -> Response:
        """429 on demand: the shop's budget is closed for *seconds* (Retry-After has whole seconds)."""
        now = self.state.now()
        until = (now + timedelta(seconds=seconds + 1)).replace(microsecond=0)
        shop = self.shop_of(call)
        if shop is not None:
            call.shop = shop.name
            if shop.closed_until is None or shop.closed_until < until:
                shop.closed_since, shop.closed_until = now, until
        return _error(429, "Too Many Requests", _retry(until))

    def shop_of(self, call: Call) -> Shop | None:
        """The shop whose user makes this call, whatever the key."""
        pair = _basic(call.headers.get("authorization", ""))
        return self.state.shop_of_user(pair[0]) if pair else None

    def caller(self, call: Call) -> str:
        """What the three parallel calls are counted by: the shop's group of accesses."""
        shop = self.shop_of(call)
        return shop.name if shop else call.client


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
    named = {name.replace("_", "-"): value for name, value in (headers or {}).items()}
    return answer({"success": False, "messages": messages}, status, named)


def _retry(until: datetime) -> dict[str, str]:
    return {"Retry_After": format_datetime(until.astimezone(UTC), usegmt=True)}


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


def _rate_headers(response: Response, shop: Shop) -> None:
    """`X-Rate-Limit-*` as published; a verified add-on has no tariff and gets none."""
    tariff = shop.tariff
    if tariff is None:
        return
    hour_left, day_left = tariff.hour - tariff.hour_used, tariff.day - tariff.day_used
    response.headers["X-Rate-Limit-Hour"] = str(tariff.hour)
    response.headers["X-Rate-Limit-Day"] = str(tariff.day)
    response.headers["X-Rate-Limit-Hour-Remaining"] = str(hour_left)
    response.headers["X-Rate-Limit-Day-Remaining"] = str(day_left)
    response.headers["X-Rate-Limit-Total-Remaining"] = str(hour_left + day_left)

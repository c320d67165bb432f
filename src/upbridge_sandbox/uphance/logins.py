"""Logins of the simulated Uphance: tokens, and the organisation that each of them has chosen, which is hidden."""

from collections.abc import Callable
from typing import Any, TypeAlias

from starlette.responses import JSONResponse

from upbridge_sandbox.asgi.call import Call
from upbridge_sandbox.asgi.routing import Handler
from upbridge_sandbox.seed.formats import Json
from upbridge_sandbox.state import State
from upbridge_sandbox.uphance.calls import body_of, refused
from upbridge_sandbox.uphance.organisations import WEEK, Organisation, Token

FEWEST = 3
"""So few products never become fewer by a list that moves."""

Inside: TypeAlias = Callable[[Call, Organisation], Any]
"""An operation: the call, and the organisation that its token has chosen."""


class Logins:
    """Tokens, and the organisation that each of them has chosen."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.uphance = state.uphance

    def token(self, call: Call) -> Any:
        """Password grant and refresh grant, a JSON body."""
        body = body_of(call)
        if body.get("grant_type") == "password":
            email = str(body.get("email"))
            if not email or self.uphance.users.get(email) != body.get("password"):
                raise refused(401, "invalid_grant")
            return self._granted(self.uphance.issue(email))
        if body.get("grant_type") == "refresh_token":
            tokens = self.uphance.tokens.values()
            old = next((token for token in tokens if token.refresh == body.get("refresh_token")), None)
            if old is None or old.dead:
                raise refused(401, "invalid_grant")
            old.dead = True
            return self._granted(self.uphance.issue(old.email))
        call.violation("bad-body", "grant_type")
        raise refused(400, "unsupported_grant_type")

    def _granted(self, token: Token) -> Json:
        return {
            "access_token": token.value,
            "token_type": "Bearer",
            "expires_in": WEEK,
            "refresh_token": token.refresh,
            "created_at": int(self.state.now().timestamp()),
        }

    def revoke(self, call: Call) -> Any:
        """This token or those that are named; never all of the user's."""
        token = self._token(call)
        body = body_of(call) if call.content else {}
        if body.get("revoke_all"):
            call.violation("revoke-all", token.email)
            for other in self.uphance.tokens.values():
                other.dead = other.dead or other.email == token.email
            return {}
        for value in body.get("tokens") or [token.value]:
            if value in self.uphance.tokens:
                self.uphance.tokens[value].dead = True
        return {}

    def organisations(self, call: Call) -> Any:
        """The organisations of the user."""
        mine = [self.uphance.organisations[item] for item in self.uphance.members[self._token(call).email]]
        return {"organisations": [{"id": item.id, "name": item.name} for item in mine]}

    def choose(self, call: Call) -> Any:
        """Choose an organisation: state on the server, 201."""
        token, wanted = self._token(call), body_of(call).get("organizationId")
        if wanted not in self.uphance.members[token.email]:
            call.violation("bad-body", "organizationId is not one of this user's")
            raise refused(404, "organisation not found")
        token.organisation = wanted
        return JSONResponse({"Status": "Updated"}, 201)

    def inside(self, handler: Inside) -> Handler:
        """*handler* for calls with a token that has chosen an organisation."""

        def handle(call: Call) -> Any:
            token = self._token(call)
            if token.organisation is None:
                call.violation("no-organisation", token.email)
                raise refused(403, "no organisation selected")
            call.shop = str(token.organisation)
            call.page_items = self.uphance.lists.page_items
            organisation = self.uphance.organisations[token.organisation]
            answer = handler(call, organisation)
            if call.path == "/products" and call.method == "GET" and answer["meta"]["next_page"]:
                self._move(organisation)
            return answer

        return handle

    def _move(self, organisation: Organisation) -> None:
        """Between two pages of the goods the list may move: the first goes to the end, or one that no order has
        is deleted."""
        rng = self.state.rng.of("moves-uphance")
        if not self.uphance.lists.happens("move", rng):
            return
        unsold = organisation.unsold(self.state.sellable())
        if len(organisation.products) > FEWEST and unsold and rng.random() < 0.25:  # noqa: PLR2004 - one of four
            organisation.drop_product(rng.choice(unsold))
            return
        first = next(iter(organisation.products))
        organisation.products[first] = organisation.products.pop(first)

    def _token(self, call: Call) -> Token:
        """The living token of a call. Raises `Refused`."""
        scheme, _, value = call.headers.get("authorization", "").partition(" ")
        if scheme != "Bearer":
            call.violation("missing-header", "Authorization: Bearer")
            raise refused(401, "unauthorized")
        token = self.uphance.tokens.get(value)
        if token is not None and token.dead:
            call.violation("dead-token")
        if token is None or token.dead:
            raise refused(401, "unauthorized")
        if token.expires_at <= self.state.now():
            raise refused(401, "token expired")
        if call.in_flight > 1:
            call.violation("parallel-uphance", str(call.in_flight))
        return token

"""A simulated Abacus: two operations over a book in memory, with the faults that every simulated system has."""

from dataclasses import dataclass, field
from typing import Any

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp

from upbridge_sandbox.asgi.call import Call
from upbridge_sandbox.asgi.middleware import too_many
from upbridge_sandbox.asgi.routing import Operation, Refused, application
from upbridge_sandbox.faults import Faults
from upbridge_sandbox.simulated import not_published, simulated
from upbridge_sandbox.state import State

KEY = "abacus-secret"


@dataclass
class Book:
    """What Abacus holds for one account, by kind and key."""

    key: str = KEY
    pages: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    refuse: set[str] = field(default_factory=set)
    """Keys that it takes for wrong."""

    async def account(self, call: Call) -> Any:
        """Who calls."""
        self._admit(call)
        return {"ok": True}

    async def write(self, call: Call) -> Any:
        """One page, written over what was there."""
        self._admit(call)
        kind, key = call.path_params["kind"], call.path_params["key"]
        if key in self.refuse:
            raise Refused(JSONResponse({"error": "no such page in the book"}, 422))
        self.pages[kind, key] = call.document()
        return {"ok": True}

    def _admit(self, call: Call) -> None:
        if call.headers.get("authorization") != f"Bearer {self.key}":
            raise Refused(JSONResponse({"error": "unauthorized"}, 401))


def abacus_api(state: State, book: Book) -> ASGIApp:
    """The ASGI application of the simulated Abacus; its faults are `state.faults["abacus"]`."""
    state.faults.setdefault("abacus", Faults())
    routes = [Operation("GET", "/account", book.account), Operation("PUT", "/{kind}/{key}", book.write)]
    app = application(routes, {HTTPException: not_published})
    return simulated("abacus", app, state, caller=lambda call: call.ip, busy=too_many)

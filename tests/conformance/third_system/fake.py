"""A simulated Ledger, in memory."""

import json
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

KEY = "ledger-secret"


class FakeLedger:
    """What Ledger holds. *refused*: keys that it takes for wrong; *writes*: how many it has taken."""

    def __init__(self) -> None:
        self.key = KEY
        self.held: dict[tuple[str, str], dict[str, Any]] = {}
        self.refused: set[str] = set()
        self.writes = 0
        self.app = Starlette(
            routes=[
                Route("/account", self._account, methods=["GET"]),
                Route("/{kind}/{key}", self._put, methods=["PUT"]),
            ]
        )

    def _known(self, request: Request) -> bool:
        return request.headers.get("authorization") == f"Bearer {self.key}"

    async def _account(self, request: Request) -> Response:
        return JSONResponse({"ok": True}, 200 if self._known(request) else 401)

    async def _put(self, request: Request) -> Response:
        if not self._known(request):
            return JSONResponse({}, 401)
        kind, key = request.path_params["kind"], request.path_params["key"]
        if key in self.refused:
            return Response("no such page in the book", 422)
        self.held[kind, key] = json.loads(await request.body())
        self.writes += 1
        return JSONResponse({"ok": True})

"""Forms of the pages: each is a call of the control API, which a browser sends as form fields.

`method` is the call's method if it is not POST, `then` the page that is shown afterwards, with names of the
answer's fields in it. A field `name:json` is a value and no text, `name.key` a field of an object. Empty texts are
left out.
"""

import json
from collections.abc import Callable
from typing import Any

from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from upbridge_sandbox.asgi.call import Call
from upbridge_sandbox.asgi.middleware import answer_of
from upbridge_sandbox.seed.formats import Json

FORM = "application/x-www-form-urlencoded"
_FIRST_ERROR = 400


class Forms:
    """Middleware around the control API: a form is turned into a call, and its answer into a page. *failed* shows
    what was wrong."""

    def __init__(self, app: ASGIApp, failed: Callable[[str, int], Response]) -> None:
        self.app = app
        self.failed = failed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what is no form."""
        call: Call = scope["call"]
        if FORM not in call.headers.get("content-type", ""):
            await self.app(scope, receive, send)
            return
        sent = call.fields()
        scope["method"], then = sent.pop("method", "POST"), sent.pop("then", "")
        call.content = json.dumps(_body(sent)).encode()
        response = await answer_of(self.app, scope, receive)
        answer = json.loads(bytes(response.body))
        if response.status_code >= _FIRST_ERROR:
            page = self.failed(answer["error"], response.status_code)
        else:
            page = RedirectResponse(then.format(**answer) or call.headers.get("referer", "/"), 303)
        await page(scope, receive, send)


def _body(sent: dict[str, str]) -> Json:
    body: Json = {}
    for field, text in sent.items():
        path, _, kind = field.partition(":")
        if kind != "json" and not text:
            continue
        *above, name = path.split(".")
        place = body
        for key in above:
            place = place.setdefault(key, {})
        place[name] = _value(text) if kind == "json" else text
    return body


def _value(text: str) -> Any:
    return json.loads(text) if text else None

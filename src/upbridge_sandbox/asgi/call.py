"""One call of a simulated system."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.types import Receive, Scope

from upbridge_sandbox.call_log import CallLog


@dataclass(frozen=True, slots=True)
class Page:
    """The rows of one page of a longer list, and where it stands."""

    rows: Sequence[Any]
    number: int
    last: int
    total: int


class Call(Request):
    """Starlette's request, its body read already, and what the call log notes of it."""

    def __init__(self, scope: Scope, receive: Receive, *, system: str, call_log: CallLog) -> None:
        super().__init__(scope, receive)
        self.system = system
        self.call_log = call_log
        self.content = b""
        self.operation = ""
        self.shop = ""
        self.item_count = 0
        self.in_flight = 1
        self.leave: Callable[[], None] = lambda: None
        """Ends the call's time in flight; harmless to repeat."""
        self.page_items = 0
        """So many items has a page of its list; 0: as many as published."""
        self.answered: Callable[[], None] = lambda: None
        """What happens as soon as the answer stands, before it leaves."""

    @property
    def path(self) -> str:
        """The path as it was asked for."""
        return str(self.scope["path"])

    @property
    def ip(self) -> str:
        """The caller's address."""
        return self.client.host if self.client else "?"

    @property
    def writes(self) -> bool:
        """Whether the call changes what the system holds; a login does not."""
        return self.method != "GET" and "/oauth/" not in self.path and "/organisations/" not in self.path

    @property
    def line(self) -> str:
        """The request line without query values, which may be secret or personal."""
        return f"{self.method} {self.path}" + (f"?{'&'.join(self.query_params)}" if self.query_params else "")

    def violation(self, rule: str, detail: str = "") -> None:
        """Note in the call log that this call broke *rule*."""
        self.call_log.violation(self.system, rule, self.line, detail)

    def last(self, name: str) -> str | None:
        """The last value of a query parameter, as PHP reads it."""
        return self.query_params.get(name)

    def page(self, rows: Sequence[Any], size: int) -> Page:
        """The page of *rows* that is asked for; the first one where no number is."""
        asked = self.last("page") or "1"
        number = int(asked) if asked.isdigit() and int(asked) > 0 else 1
        return Page(rows[(number - 1) * size : number * size], number, max(1, -(-len(rows) // size)), len(rows))

    def document(self) -> Any:
        """The body as strict JSON: NaN and Infinity are not JSON. Raises ValueError."""

        def refuse(constant: str) -> Any:
            raise ValueError(f"{constant} is not JSON")

        try:
            return json.loads(self.content, parse_constant=refuse)
        except RecursionError:
            raise ValueError("the body is nested too deeply") from None

    def fields(self) -> dict[str, str]:
        """The body as a form; its content type is not looked at."""
        return dict(parse_qsl(self.content.decode("utf-8", "replace"), keep_blank_values=True))

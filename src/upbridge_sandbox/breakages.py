"""One page or one entity that cannot be read, for as long as the switch is on: `500 page 2 of /orders`,
`hang order_number 26000007`.

An entity breaks every answer that it stands in, alone or among others.
"""

import json
import re
from dataclasses import dataclass
from typing import Any

from upbridge_sandbox.asgi.call import Call

HOW = ("500", "404", "hang", "cut", "garbage")
"""An error, as if it were gone, no answer, no connection, or half of the answer."""

_PAGE = re.compile(r"page ([1-9]\d*) of (/\S*)")
_ENTITY = re.compile(r"(\w+) (\S+)")


@dataclass(frozen=True, slots=True)
class Breakage:
    """What breaks, and how."""

    how: str
    page: int = 0
    path: str = ""
    """The end of the path whose page it is."""
    field: str = ""
    value: str = ""
    """The value of the field that names the entity."""

    @classmethod
    def parse(cls, text: str) -> "Breakage":
        """From its sentence. Raises ValueError."""
        how, _, what = text.partition(" ")
        if how in HOW and (page := _PAGE.fullmatch(what)):
            return cls(how, page=int(page[1]), path=page[2])
        if how in HOW and (entity := _ENTITY.fullmatch(what)):
            return cls(how, field=entity[1], value=entity[2])
        raise ValueError(
            f"{text!r} is neither `HOW page N of /PATH` nor `HOW FIELD VALUE`; HOW is one of {', '.join(HOW)}"
        )

    def hits(self, call: Call, body: bytes) -> bool:
        """Whether the answer *body* of *call* cannot be read."""
        if self.page:
            return call.path.endswith(self.path) and call.last("page") in (str(self.page), *_first(self.page))
        return any(str(item.get(self.field)) == self.value for item in _entities(body))


def _first(page: int) -> tuple[None, ...]:
    return (None,) if page == 1 else ()


def _entities(body: bytes) -> list[dict[str, Any]]:
    """What an answer is about: itself, the objects in it, and the items of its lists."""
    try:
        document = json.loads(body)
    except ValueError:
        return []
    if not isinstance(document, dict):
        return []
    held = [item for value in document.values() for item in (value if isinstance(value, list) else [value])]
    return [item for item in (document, *held) if isinstance(item, dict)]

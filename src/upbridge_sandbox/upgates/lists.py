"""Paging and filters that every Upgates list shares: page sizes, `A;B;C`, times, yes and no."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from starlette.responses import JSONResponse, Response

from upbridge_sandbox.asgi.call import Call
from upbridge_sandbox.seed.formats import PRAGUE, Json

ORDERS_A_PAGE = 100
PRODUCTS_A_PAGE = 50
MOST_A_PAGE = 100


class Filters:
    """Reads the query of one call; what cannot be read is a violation and filters nothing."""

    def __init__(self, call: Call) -> None:
        self.call = call

    def bad(self, name: str) -> None:
        """Remember a parameter that is not what the published API takes."""
        self.call.violation("bad-parameter", name)

    def several(self, name: str) -> set[str] | None:
        """`A;B;C`; None where the filter is not set."""
        joined = self.call.last(name)
        if joined is None:
            return None
        values = {part.strip() for part in joined.split(";") if part.strip()}
        if len(values) > MOST_A_PAGE:
            self.call.violation("too-many-ids", f"{name}: {len(values)}")
        self.call.item_count = max(self.call.item_count, len(values))
        return values

    def yes(self, name: str) -> bool | None:
        """`true / false, 1 / 0`."""
        value = self.call.last(name)
        if value is None:
            return None
        if value.lower() not in ("1", "0", "true", "false"):
            self.bad(name)
            return None
        return value.lower() in ("1", "true")

    def time(self, name: str) -> datetime | None:
        """ISO 8601; without an offset it is Prague time. A `+` that was not encoded arrives as a space."""
        value = self.call.last(name)
        if value is None:
            return None
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.bad(name)
            return None
        return moment if moment.tzinfo else moment.replace(tzinfo=PRAGUE)

    def whole(self, name: str, default: int) -> int:
        """A positive whole number."""
        value = self.call.last(name)
        if value is None:
            return default
        if not value.isdigit() or int(value) < 1:
            self.bad(name)
            return default
        return int(value)


def page(
    items: list[Json], filters: Filters, *, key: str, size: int, shape: Callable[[Json], Any] = lambda item: item
) -> Json:
    """One page in Upgates' envelope."""
    number = filters.whole("page", 1)
    chosen = items[(number - 1) * size : number * size]
    filters.call.item_count = max(filters.call.item_count, len(chosen))
    return {
        "current_page": number,
        "current_page_items": len(chosen),
        "number_of_pages": -(-len(items) // size),
        "number_of_items": len(items),
        key: [shape(item) for item in chosen],
    }


def too_large(call: Call) -> Response:
    """413 for a PUT of more than a hundred items, of which none is carried out."""
    call.violation("too-many-items", str(call.item_count))
    return JSONResponse({"messages": [complaint("Payload Too Large")]}, 413)


def complaint(message: str, *, thing: str | None = None, name: str | None = None, level: str = "error") -> Json:
    """One entry of `messages`."""
    return {"object": thing, "property": name, "message": message, "level": level}

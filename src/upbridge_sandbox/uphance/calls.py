"""What the operations of the simulated Uphance share: pages, ids, bodies, refusals."""

from typing import Any

from starlette.responses import JSONResponse

from upbridge_sandbox.asgi.call import Call
from upbridge_sandbox.asgi.routing import Refused
from upbridge_sandbox.seed.formats import Json

PAGE = 100


def page(call: Call, key: str, items: list[Json]) -> Json:
    """The page of *items* that the call asks for, a hundred at a time unless the lists are to have short pages."""
    page_ = call.page(items, call.page_items or PAGE)
    call.item_count = len(page_.rows)
    meta = {
        "current_page": page_.number,
        "next_page": page_.number + 1 if page_.number < page_.last else None,
        "prev_page": page_.number - 1 if page_.number > 1 else None,
        "total_pages": page_.last,
        "total_count": page_.total,
    }
    return {key: page_.rows, "meta": meta}


def one(call: Call, items: dict[int, Json]) -> Json:
    """The item that the path names. Raises `Refused`."""
    wanted = call.path_params["id"]
    found = items.get(int(wanted)) if wanted.isdigit() else None
    if found is None:
        raise refused(404, "not found")
    return found


def body_of(call: Call) -> Json:
    """The body; an empty object where it is none, which is noted."""
    if "application/json" not in call.headers.get("content-type", ""):
        call.violation("bad-content-type")
    try:
        body: Any = call.document()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        call.violation("bad-body", "not a JSON object")
        return {}
    return body


def refused(status: int, error: Any) -> Refused:
    """The refusal of a call, as Uphance words it."""
    return Refused(JSONResponse({"error": error}, status))

"""What the operations of the simulated Uphance share: pages, ids, bodies, refusals."""

from typing import Any

from starlette.responses import JSONResponse

from upbridge_sandbox.asgi.call import Call
from upbridge_sandbox.asgi.routing import Refused
from upbridge_sandbox.seed.formats import Json

PAGE = 100


def page(call: Call, key: str, items: list[Json]) -> Json:
    """The page of *items* that the call asks for, a hundred at a time unless the lists are to have short pages."""
    size = call.page_items or PAGE
    asked = call.last("page") or "1"
    number = int(asked) if asked.isdigit() and int(asked) > 0 else 1
    pages = max(1, -(-len(items) // size))
    chosen = items[(number - 1) * size : number * size]
    call.item_count = len(chosen)
    meta = {
        "current_page": number,
        "next_page": number + 1 if number < pages else None,
        "prev_page": number - 1 if number > 1 else None,
        "total_pages": pages,
        "total_count": len(items),
    }
    return {key: chosen, "meta": meta}


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

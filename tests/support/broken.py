"""One row of a list that breaks each answer which would show it, in every way that an answer can be broken."""

import json
from collections.abc import Mapping
from typing import Any

import httpx

WAYS = ("500", "404", "timeout", "cut", "garbage")


def broken(how: str, request: httpx.Request, answer: httpx.Response) -> httpx.Response:
    """The *answer* of a call, broken. Raises what the transport would."""
    match how:
        case "500" | "404":
            return httpx.Response(int(how), json={"error": "broken"}, request=request)
        case "timeout":
            raise httpx.ReadTimeout("no answer", request=request)
        case "cut":
            raise httpx.ReadError("cut", request=request)
    return httpx.Response(200, content=answer.content[: len(answer.content) // 2], headers=answer.headers)


def shows(answer: httpx.Response, name: str, value: Any) -> bool:
    """Whether *answer* is about a thing with this field, or has one in a list."""
    try:
        document = json.loads(answer.content)
    except ValueError:
        return False
    if not isinstance(document, Mapping):
        return False
    held = [one for part in document.values() for one in (part if isinstance(part, list) else [part])]
    return any(isinstance(one, Mapping) and one.get(name) == value for one in (document, *held))

"""Reading a form that one of our own pages sent."""

from collections.abc import Mapping
from urllib.parse import parse_qs

from fastapi import Request

from upbridge.core.bodies import request_body
from upbridge.core.bounds import FORM, Bounds
from upbridge.core.errors import BadRequest


async def read_form(request: Request, *, origin: str, bounds: Bounds = FORM) -> dict[str, list[str]]:
    """The fields of a form that one of our own pages sent.

    The address of a session is the secret that a forged form would have to know (docs/decisions/0004); a browser
    that says outright that the form comes from elsewhere is refused as well. An opaque origin (`null`) is what a
    page without a referrer, or in a sandboxed frame, has.
    """
    sent_from, site = request.headers.get("origin"), request.headers.get("sec-fetch-site")
    foreign = sent_from not in {None, "null", origin}
    if foreign or (site in {"cross-site", "same-site"} and sent_from != "null"):
        raise Foreign
    body = await request_body(request, bounds)
    try:
        form = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=bounds.values, errors="strict")
    except ValueError:
        raise BadRequest from None
    if any(not name.isprintable() for name in form):  # some names become part of what is stored
        raise BadRequest
    return form


class Foreign(BadRequest):
    """The form was sent by a page of another site."""

    status = 403
    code = "foreign_form"


def one(form: Mapping[str, list[str]], name: str) -> str:
    """The field *name*, without the spaces around it; empty if it is missing."""
    return as_typed(form, name).strip()


def as_typed(form: Mapping[str, list[str]], name: str) -> str:
    """The field *name* with the spaces around it, which may be part of a password."""
    return form.get(name, [""])[-1].replace("\x00", "")

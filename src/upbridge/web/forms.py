"""Reading a form that one of our own pages sent."""

from collections.abc import Mapping
from io import BytesIO
from urllib.parse import parse_qs

from fastapi import Request
from python_multipart import parse_form
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import File

from upbridge.core.bounds import FORM, UPLOAD, Bounds
from upbridge.core.errors import BadRequest
from upbridge.core.request_bodies import request_body


async def read_form(request: Request, *, origin: str, bounds: Bounds = FORM) -> dict[str, list[str]]:
    """The fields of a form that one of our own pages sent.

    The address of a session is the secret that a forged form would have to know (docs/decisions/0004); a browser
    that says outright that the form comes from elsewhere is refused as well. An opaque origin (`null`) is what a
    page without a referrer, or in a sandboxed frame, has.
    """
    _refuse_foreign(request, origin)
    body = await request_body(request, bounds)
    try:
        form = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=bounds.values, errors="strict")
    except ValueError:
        raise BadRequest from None
    if any(not name.isprintable() for name in form):  # some names become part of what is stored
        raise BadRequest
    return form


async def read_upload(request: Request, *, origin: str, bounds: Bounds = UPLOAD) -> Mapping[str, bytes]:
    """The fields and files of a form with a file that one of our own pages sent, by their names; the name that a
    file had on its computer is of no interest. Raises `Foreign`, `TooLarge` and `BadRequest`."""
    _refuse_foreign(request, origin)
    body = await request_body(request, bounds)
    kind = request.headers.get("content-type", "")
    parts: list[tuple[str, bytes]] = []

    def keep(name: bytes | None, value: bytes | None) -> None:
        if len(parts) >= bounds.values:
            raise BadRequest
        parts.append(((name or b"").decode(errors="replace"), value or b""))

    def keep_file(file: File) -> None:
        stored = file.file_object
        stored.seek(0)
        keep(file.field_name, stored.read())

    if not kind.startswith("multipart/form-data"):
        raise BadRequest
    try:
        parse_form(
            {"Content-Type": kind.encode()}, BytesIO(body), lambda one: keep(one.field_name, one.value), keep_file
        )
    except FormParserError:
        raise BadRequest from None
    return dict(parts)


def _refuse_foreign(request: Request, origin: str) -> None:
    sent_from, site = request.headers.get("origin"), request.headers.get("sec-fetch-site")
    foreign = sent_from not in {None, "null", origin}
    if foreign or (site in {"cross-site", "same-site"} and sent_from != "null"):
        raise Foreign


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

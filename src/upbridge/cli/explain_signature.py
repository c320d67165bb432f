"""`upbridge doctor --call`: why a signed call is refused."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from upbridge.core.clock import Clock, utc_now
from upbridge.core.errors import BadRequest, BadSettings, NotReady, RemoteError
from upbridge.installation.explain import explain
from upbridge.installation.signature import Endpoint
from upbridge.settings import Settings
from upbridge.systems.http.published_key import fetch_key
from upbridge.systems.http.transport import http_client

_SECONDS = 5.0


def read_call(file: Path) -> Mapping[str, Any]:
    """The JSON object in *file*, or on standard input for `-`. Raises `BadRequest`; repeats nothing of it."""
    try:
        body = json.loads(sys.stdin.read() if str(file) == "-" else file.read_text())
    except (OSError, ValueError, RecursionError) as error:
        raise BadRequest(f"{file} holds no JSON that can be read: {type(error).__name__}") from error
    if not isinstance(body, dict):
        raise BadRequest(f"{file} holds no JSON object")
    return body


async def explain_call(
    settings: Settings, call: Mapping[str, Any], *, endpoint: Endpoint, clock: Clock = utc_now
) -> tuple[str, bool]:
    """What was signed in a call that came (or did not pass), in lines for a person, and whether it is accepted.

    Asks the key's address, changes nothing. Raises `BadSettings` without a signature token and `NotReady`.
    """
    if settings.signature_token is None:
        raise BadSettings("UPBRIDGE_SIGNATURE_TOKEN: not set, so no call can be checked")
    async with http_client() as http:
        try:
            key = await fetch_key(http, settings.signature_key_url, clock, deadline=_SECONDS)
        except RemoteError as error:
            raise NotReady(f"the signature key cannot be had: {error}") from error
    lines = explain(
        call,
        endpoint=endpoint,
        key_pem=key.body.strip(),
        signature_token=settings.signature_token.get_secret_value(),
        now=clock(),
        max_age=settings.signature_max_age,
    )
    return lines, "verdict    accepted" in lines.splitlines()

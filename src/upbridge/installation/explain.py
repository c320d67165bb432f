"""Why a signed call is refused, for an operator: what was signed, with the secrets masked, and what differs."""

import base64
import binascii
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from upbridge.core.errors import BadSignature
from upbridge.installation.signature import LONG, ORDERS, SHORT, Endpoint, claim, load_key, signed_string, verifies

_SHOWN = ("apiUrl", "time")


def explain(
    call: Mapping[str, Any],
    *,
    endpoint: Endpoint,
    key_pem: bytes,
    signature_token: str,
    now: datetime,
    max_age: int,
) -> str:
    """Lines for a person: the exact signed string with its secrets as `{name: length}`, the verdict, the cause.

    Holds no value of the call but `apiUrl` and `time`. Raises nothing: a call of any shape has an explanation.
    """
    lines = [f"endpoint   {endpoint}"]
    for order in ORDERS[endpoint]:
        missing = [name for name in order if not isinstance(call.get(name), str)]
        lines.append(f"signed     {_masked(order, call, signature_token)}")
        if missing:
            lines.append(f"           not as text in the body: {', '.join(missing)}")
    try:
        claim(call, endpoint=endpoint, signature_token=signature_token, now=now, max_age=max_age).prove([key_pem])
    except BadSignature as error:
        lines.append(f"verdict    refused: {error}")
        lines.extend(f"cause      {cause}" for cause in _causes(call, endpoint, key_pem, signature_token))
    else:
        lines.append("verdict    accepted")
    return "\n".join(lines)


def _masked(order: tuple[str, ...], call: Mapping[str, Any], signature_token: str) -> str:
    parts = []
    for name in order:
        value = call.get(name)
        if not isinstance(value, str):
            parts.append(f"{{{name}: missing}}")
        elif name in _SHOWN:
            parts.append(ascii(value)[1:-1])
        else:
            parts.append(f"{{{name}: {len(value)} characters}}")
    return ";".join([*parts, f"{{signature_token: {len(signature_token)} characters}}"])


def _causes(call: Mapping[str, Any], endpoint: Endpoint, key_pem: bytes, signature_token: str) -> Iterator[str]:
    """What would have made the signature fit, or why none can."""
    try:
        key = load_key(key_pem)
    except BadSignature as error:
        yield str(error)
        return
    yield f"the key is {type(key).__name__.lstrip('_')}, {key.key_size} bits"
    if "signature" in call and "signature_v2" not in call:
        yield "only the legacy field signature is there; it is never accepted"
    raw = call.get("signature_v2")
    try:
        signature = base64.b64decode(raw if isinstance(raw, str) else "", validate=True)
    except (ValueError, binascii.Error):
        yield "signature_v2 is not base64"
        return
    yield f"the signature has {len(signature)} bytes"
    values = {name: call[name] for name in LONG if isinstance(call.get(name), str)}
    found = False
    for text, difference in _variants(values, endpoint, signature_token):
        if verifies(key, signature, text.encode(errors="surrogatepass")):
            found = True
            yield f"it fits {difference}"
    if not found:
        yield "it fits no known string: another key, another signature token, or a value changed on the way"


def _variants(values: Mapping[str, str], endpoint: Endpoint, signature_token: str) -> Iterator[tuple[str, str]]:
    for order in (LONG, SHORT):
        if not all(name in values for name in order):
            continue
        whose = "this endpoint's string" if order in ORDERS[endpoint] else "the string of another endpoint"
        yield signed_string(order, values, signature_token), f"{whose}: {', '.join(order)}, signature_token"
        yield signed_string(order, values, ""), f"{whose} with an empty signature token"
        yield ";".join(values[name] for name in order), f"{whose} without the signature token"
        escaped = {name: value.replace("/", "\\/") for name, value in values.items()}
        yield signed_string(order, escaped, signature_token), f"{whose} with slashes as JSON escapes them"
        yield (
            signed_string(order, values, signature_token.strip()),
            f"{whose} if the token had no blanks around it",
        )

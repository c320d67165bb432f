"""JSON from outside: measured before anything walks over it.

    bytes ──► too many values? ──► too deep? a number too long? ──► parser ──► values

What a parser does with a few MiB of empty lists takes it seconds, and nothing else runs meanwhile. Counting the
signs that begin a value takes a millisecond.
"""

import gc
import json
import re
from array import array
from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import Any, NoReturn

from upbridge.core.bounds import Bounds
from upbridge.core.errors import BadRequest, TooLarge

#: A text with its quotes, or what is left where the second is missing. It never goes back: a body of nothing but
#: quotes takes no longer than any other.
_TEXT = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_OPENING, _CLOSING = b"[{", b"]}"
_NO_BRACKETS = bytes(set(range(256)) - set(_OPENING + _CLOSING))
#: 1 and, as a signed byte, -1.
_STEPS = bytes.maketrans(_OPENING + _CLOSING, bytes([1, 1, 255, 255]))
_ALL_ZERO = bytes.maketrans(b"123456789", b"000000000")


def loads(body: bytes, bounds: Bounds, *, constants: bool = True) -> Any:
    """The value that *body* says; who read it has bounded its length.

    Raises `TooLarge` if it may have more values than *bounds* allow, and `BadRequest` if it is no JSON, or is
    beyond another bound. Without *constants* the numbers `NaN` and `Infinity` are none, as JSON has it.
    """
    measure(body, bounds)
    return parsed(body, constants=constants)


def parsed(body: bytes, *, constants: bool = True) -> Any:
    """The value that *body* says, which was measured. Raises `BadRequest` if it is no JSON."""
    try:
        return without_collector(lambda: json.loads(body, parse_constant=None if constants else _no_constant))
    except (ValueError, RecursionError):
        raise BadRequest("the body is not JSON") from None


def measure(body: bytes, bounds: Bounds) -> None:
    """Raise `TooLarge` if *body* may have more values than *bounds* allow, and `BadRequest` if it is nested
    deeper, or a number of it has more digits, or it was cut off. The time is that of the length, not of what is in
    it."""
    for _ in measuring(body, bounds):
        pass


def measuring(body: bytes, bounds: Bounds) -> Iterator[None]:
    """`measure` in steps: of the longest webhook each takes about ten milliseconds."""
    # Each value but the first follows a bracket, a brace or a comma; those in texts count, too.
    if body.count(b",") + body.count(b"[") + body.count(b"{") > bounds.values:
        raise TooLarge(f"more than {bounds.values} values")
    yield
    if not _suspicious(body, bounds):
        return
    yield
    # Each value has two texts at most: a member and what it is.
    if body.count(b'"') - body.count(b'\\"') > 4 * (bounds.values + 1):
        raise TooLarge(f"more than {bounds.values} values")
    yield
    without_texts = _TEXT.sub(b"", body)  # brackets and digits in texts are none
    yield
    if not _closed(without_texts):
        raise BadRequest("the body is not JSON: it was cut off, or a bracket is missing")
    if _suspicious(without_texts, bounds):
        raise BadRequest("the body is nested too deeply, or a number in it is too long")


def _suspicious(body: bytes, bounds: Bounds) -> bool:
    return _deep(body, bounds.depth) or b"0" * (bounds.digits + 1) in body.translate(_ALL_ZERO)


def _closed(body: bytes) -> bool:
    """Whether there are as many brackets that close as there are that open."""
    return body.count(b"[") + body.count(b"{") == body.count(b"]") + body.count(b"}")


def _deep(body: bytes, most: int) -> bool:
    """Whether more than *most* brackets are open at once, or not each is closed."""
    steps = body.translate(_STEPS, delete=_NO_BRACKETS)
    opened = steps.count(b"\x01")
    if 2 * opened != len(steps):
        return True
    return opened > most and max(accumulate(array("b", steps))) > most


def without_collector(parse: Callable[[], Any]) -> Any:
    """What *parse* returns. Python looks for garbage whenever many values were made; here they all live."""
    if not gc.isenabled():
        return parse()
    gc.disable()
    try:
        return parse()
    finally:
        gc.enable()


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)

"""JSON from strangers: measured before anything walks over it.

    bytes ──► too many values? ──► parser ──► values

What a parser does with a few MiB of empty lists takes it seconds, and nothing else runs meanwhile. Counting the
signs that begin a value takes a millisecond.
"""

import gc
import json
from collections.abc import Callable
from typing import Any, NoReturn

from upbridge.core.errors import BadRequest, TooLarge


def loads(body: bytes, *, most_values: int, constants: bool = True) -> Any:
    """The value that *body* says; who read it has bounded its length.

    Raises `TooLarge` if it may have more than *most_values* values, and `BadRequest` if it is not JSON, or nested
    too deep for the parser. Without *constants* the numbers `NaN` and `Infinity` are none, as JSON has it.
    """
    # Each value but the first follows a bracket, a brace or a comma; those in texts count, too.
    if body.count(b",") + body.count(b"[") + body.count(b"{") > most_values:
        raise TooLarge(f"more than {most_values} values")
    try:
        return _without_collector(lambda: json.loads(body, parse_constant=None if constants else _no_constant))
    except (ValueError, RecursionError):
        raise BadRequest("the body is not JSON") from None


def _without_collector(parse: Callable[[], Any]) -> Any:
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

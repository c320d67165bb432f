"""JSON as other systems write it, with exact numbers."""

import json
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn

from upbridge.core.bounded_json import measure, without_collector
from upbridge.core.bounds import ANSWER, Bounds
from upbridge.core.errors import Refused


def decode(body: bytes, bounds: Bounds = ANSWER) -> Any:
    """*body* as JSON; a number with a fraction is a `Decimal`, so no amount passes through binary floating point.

    Raises `ValueError` for anything that is not JSON (NaN and Infinity are not), or is beyond one of *bounds*: a
    parser takes seconds for some MiB of empty lists, and minutes for a number of 40 bytes with an exponent.
    """

    def number(text: str) -> Decimal:
        try:
            value = Decimal(text)
        except InvalidOperation:
            raise ValueError("a number is too long") from None
        if not -bounds.digits < value.adjusted() < bounds.digits:
            raise ValueError("a number is too long")
        return value

    try:
        measure(body, bounds)
        return without_collector(lambda: json.loads(body, parse_float=number, parse_constant=_no_constant))
    except Refused as error:
        raise ValueError(str(error)) from error
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")

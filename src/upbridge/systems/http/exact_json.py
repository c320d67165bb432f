"""JSON as other systems write it, with exact numbers."""

import json
from decimal import Decimal
from typing import Any, NoReturn


def decode(body: bytes) -> Any:
    """*body* as JSON; a number with a fraction is a `Decimal`, so no amount passes through binary floating point.

    Raises `ValueError` for anything that is not JSON (NaN and Infinity are not), or is nested too deeply.
    """
    try:
        return json.loads(body, parse_float=Decimal, parse_constant=_no_constant)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")

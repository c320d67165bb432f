"""JSON as other systems write it, with exact numbers."""

import json
from decimal import Decimal
from typing import Any, NoReturn

#: A page of 100 products with all variants, languages and price lists has some 100,000.
MAX_VALUES = 2_000_000


def decode(body: bytes) -> Any:
    """*body* as JSON; a number with a fraction is a `Decimal`, so no amount passes through binary floating point.

    Raises `ValueError` for anything that is not JSON (NaN and Infinity are not), or is nested too deeply, or
    may have more than `MAX_VALUES` values: a parser takes seconds for some MiB of empty lists.
    """
    if body.count(b",") + body.count(b"[") + body.count(b"{") > MAX_VALUES:
        raise ValueError(f"more than {MAX_VALUES} values")
    try:
        return json.loads(body, parse_float=Decimal, parse_constant=_no_constant)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")

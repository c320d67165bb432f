"""The doorway from Upgates' JSON to the words of the trade: every parser, and what it raises.

Parse an answer's text with `loads`, so that no amount ever passes through binary floating point.
"""

import json
from decimal import Decimal
from typing import Any, NoReturn

from upbridge.systems.upgates.fields import Unreadable, parse_list
from upbridge.systems.upgates.orders import parse_order
from upbridge.systems.upgates.parameters import Parameters, parse_parameters, with_parameters
from upbridge.systems.upgates.products import parse_product
from upbridge.systems.upgates.shop_profile import (
    build_facts,
    parse_config,
    parse_languages,
    parse_order_statuses,
    parse_owner,
    parse_pricelists,
    parse_status,
)

__all__ = [
    "Parameters",
    "Unreadable",
    "build_facts",
    "loads",
    "parse_config",
    "parse_languages",
    "parse_list",
    "parse_order",
    "parse_order_statuses",
    "parse_owner",
    "parse_parameters",
    "parse_pricelists",
    "parse_product",
    "parse_status",
    "with_parameters",
]


def loads(body: bytes) -> Any:
    """*body* as JSON with exact numbers; raises ValueError for anything that is not JSON (NaN neither)."""
    return json.loads(body, parse_float=Decimal, parse_constant=_no_constant)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")

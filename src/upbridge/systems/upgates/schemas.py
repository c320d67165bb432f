"""The doorway from Upgates' JSON to the words of the trade: every parser, and what it raises.

An answer's text is parsed by `systems/http/exact_json.py`, so that no amount passes through binary floating point.
"""

from upbridge.systems.upgates.fields import parse_list
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
    "build_facts",
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

"""Answers of the API from before April 2025, read as those of today: what did not exist yet is filled in."""

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from upbridge_sandbox.demo.upp_rules import Json

_CENT, _UNIT = Decimal("0.01"), Decimal("0.0001")


class _Lenient(dict[str, Any]):
    """An object whose missing fields are null."""

    def __missing__(self, _name: str) -> None:
        return None


def modern_product(product: Json) -> Json:
    """*product* with every field that a rule may ask for."""
    lenient: Json = _lenient(product)
    return lenient


def modern_order(order: Json) -> Json:
    """*order* with every field that a rule may ask for; prices with and without VAT by its own flag and rates."""
    lenient: Json = _lenient(order)
    if "statistics_yn" not in lenient:
        lenient["statistics_yn"] = True
    gross = lenient["prices_with_vat_yn"] is not False
    for part in [*lenient["products"], lenient["shipment"], lenient["payment"]]:
        rate = 1 + Decimal(str(part["vat"] or 0)) / 100
        _fill(part, "price_with_vat", part["price"], Decimal(1) if gross else rate, _CENT)
        _fill(part, "price_without_vat", part["price"], 1 / rate if gross else Decimal(1), _CENT)
        if part["price_per_unit"] is not None:
            _fill(part, "price_per_unit_with_vat", part["price_per_unit"], Decimal(1) if gross else rate, _UNIT)
    return lenient


def _fill(part: Json, name: str, price: Any, factor: Decimal, step: Decimal) -> None:
    if part[name] is None:
        part[name] = float((Decimal(str(price)) * factor).quantize(step, ROUND_HALF_UP))


def _lenient(value: Any) -> Any:
    match value:
        case dict():
            return _Lenient({key: _lenient(item) for key, item in value.items()})
        case list():
            return [_lenient(item) for item in value]
        case _:
            return value

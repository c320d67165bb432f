"""How Upgates adds an order up.

    order_total_before_round = lines + shipment + payment - discounts        (all with VAT)
    order_total              = order_total_before_round + order_total_rest

A line's `price_with_vat` is unit price x quantity; its `price_without_vat` is rounded from the line, so that the
rounded unit price without VAT times the quantity often misses it by a heller.
"""

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal

from upbridge_sandbox.seed.formats import Json, cents, net, number


def write_totals(order: Json) -> None:
    """Write the totals of *order* as Upgates does; crowns are rounded to whole ones."""
    total = sum((Decimal(str(line["price_with_vat"])) for line in order["products"]), Decimal(0))
    for part in ("shipment", "payment"):
        if order[part]:
            total += Decimal(str(order[part]["price_with_vat"]))
    for part in ("discount_voucher", "quantity_discount", "loyalty_points"):
        for discount in (order[part] or {}).get("discounts", ()):
            total -= abs(Decimal(str(discount["price_with_vat"])))
    rounded = total.quantize(Decimal(1), ROUND_HALF_UP) if order["currency_id"] == "CZK" else total
    order["order_total_before_round"] = number(total)
    order["order_total"] = number(rounded)
    order["order_total_rest"] = number(rounded - total)
    order["total_weight"] = int(sum((line["weight"] or 0) * line["quantity"] for line in order["products"]))


def reprice(order: Json, line: Json, quantity: int) -> None:
    """Change a line's quantity as the administration does, and the totals with it."""
    line["quantity"] = quantity
    price_line(line, Decimal(str(line["price_per_unit_with_vat"])), quantity)
    write_totals(order)


def price_line(line: Json, unit: Decimal, quantity: Decimal | int) -> None:
    """Write the prices of *quantity* pieces at *unit* with VAT into *line*."""
    vat = Decimal(str(line["vat"]))
    total = cents(unit * quantity)
    line.update(
        price_per_unit=number(unit),
        price_per_unit_with_vat=number(unit),
        price_per_unit_without_vat=number(net(unit, vat)),
        price=number(total),
        price_with_vat=number(total),
        price_without_vat=number(net(total, vat)),
    )


def charge(price: Decimal, vat: int) -> Json:
    """*price* with VAT as the parts of an order have it."""
    return {
        "price": number(price),
        "price_with_vat": number(price),
        "price_without_vat": number(net(price, vat)),
        "vat": vat,
    }


def per_vat(lines: Sequence[Json]) -> dict[int, Decimal]:
    """What the goods cost with VAT, by their VAT."""
    goods: dict[int, Decimal] = {}
    for line in lines:
        goods[line["vat"]] = goods.get(line["vat"], Decimal(0)) + Decimal(str(line["price_with_vat"]))
    return {vat: value for vat, value in goods.items() if value > 0}


def share(goods: dict[int, Decimal], amount: Decimal) -> dict[int, Decimal]:
    """*amount* over the VAT levels in proportion to their goods, the rest on the last."""
    total, left = sum(goods.values(), Decimal(0)), amount
    shares: dict[int, Decimal] = {}
    for vat, value in goods.items():
        shares[vat] = cents(amount * value / total)
        left -= shares[vat]
    if shares:
        shares[next(reversed(shares))] += left
    return shares

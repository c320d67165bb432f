"""What of an order matters to Uphance, and how two states of it differ. Pure.

A change counts only if it changes what would be sent. These change by themselves after sending and do not count:
status, payment and tracking; the external number, which we write back; the shop's own links and keys.
"""

import json
from collections.abc import Mapping
from typing import Any

from upbridge.core.canonical_json import canonical, fingerprint
from upbridge.domain.order import Charge, Money, Order, Shopper

#: Of these a trace has fingerprints only: they are, or may be, about a person.
_FINGERPRINTS = ("buyer", "billing", "delivery", "shipping", "discounts", "note", "internal_note")


def mark(order: Order, *, canceled: bool, unread: str = "") -> bytes:
    """The fingerprint by which a document about *order* is compared with what was delivered. With parts that are
    *unread* it is never that of the same order when it can be read."""
    more = {**({"canceled": True} if canceled else {}), **({"unread": unread} if unread else {})}
    return fingerprint(canonical({**_content(order), **more}))


def trace(order: Order) -> dict[str, Any]:
    """What is kept about a sent order, to say later what changed. No personal data: of that only fingerprints."""
    content = _content(order)
    salt = f"{order.order_number}:{order.uuid}"
    return {
        "number": order.order_number,
        "charged": str(order.total_before_round),
        "goods": [[line["what"], line["quantity"], line["with_vat"]] for line in content["lines"]],
        **{name: content[name] for name in ("language", "currency", "total", "payment")},
        **{name: fingerprint(salt.encode() + canonical(content[name])).hex() for name in _FINGERPRINTS},
    }


def without_person(kept: Mapping[str, Any]) -> dict[str, Any]:
    """A trace without the fingerprints of what is about a person."""
    return {name: value for name, value in kept.items() if name not in _FINGERPRINTS}


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """What differs between two traces, a line each: `A1: 2x 20 → 3x 30`, `delivery`. The names are keys of
    what changed, the values as the shop states them."""
    old_goods, new_goods = _by_name(before.get("goods")), _by_name(after.get("goods"))
    lines = [
        f"{name}: {old_goods.get(name, '—')} → {new_goods.get(name, '—')}"
        for name in dict.fromkeys((*old_goods, *new_goods))
        if old_goods.get(name) != new_goods.get(name)
    ]
    for name in after:
        if name in ("goods", "number", "charged") or before.get(name) == after[name]:
            continue
        if name in _FINGERPRINTS and isinstance(before.get(name), list):  # in clear, as a version before kept it
            continue
        plain = name in ("currency", "language", "total")
        lines.append(f"{name}: {before.get(name)} → {after[name]}" if plain else name)
    return lines


def _by_name(goods: Any) -> dict[str, str]:
    found: dict[str, list[str]] = {}
    for what, quantity, worth in goods or ():
        found.setdefault(str(what), []).append(f"{quantity}x {worth}")
    return {what: " + ".join(amounts) for what, amounts in found.items()}


def _content(order: Order) -> dict[str, Any]:
    shopper = order.shopper
    # Through JSON, so that a trace that was stored and one that was just made compare as equal.
    content: dict[str, Any] = json.loads(
        canonical(
            {
                "language": order.language,
                "currency": order.currency,
                "total": order.total,
                "lines": [
                    {
                        "type": line.type,
                        "what": line.code or line.ean or line.title or str(line.product_id),
                        "ean": line.ean,
                        "variant": [line.product_id, line.variant_id],
                        "quantity": line.quantity,
                        **_money(line.total),
                        "configuration": line.configuration,
                    }
                    for line in order.lines
                ],
                "discounts": [[one.kind, one.code, *_money(one.amount).values()] for one in order.discounts],
                "shipping": _charge(order.shipping),
                "payment": _charge(order.payment),
                "buyer": _buyer(shopper),
                "billing": shopper.billing.model_dump() if shopper else None,
                "delivery": shopper.shipping.model_dump() if shopper and shopper.shipping else None,
                "note": shopper.note if shopper else None,
                "internal_note": order.internal_note,
            }
        )
    )
    return content


def _money(money: Money) -> dict[str, Any]:
    return {"with_vat": money.with_vat, "without_vat": money.without_vat, "vat": money.vat}


def _charge(charge: Charge | None) -> list[Any] | None:
    if charge is None:
        return None
    return [charge.name, *_money(charge.amount).values(), charge.branch_id, charge.branch_name, charge.carrier_id]


def _buyer(shopper: Shopper | None) -> list[str | None] | None:
    if shopper is None:
        return None
    return [shopper.email, shopper.phone, shopper.company, shopper.company_number, shopper.vat_number]

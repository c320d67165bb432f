"""What counts as a change of an order, and how it is described."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.support.clock import NOON
from tests.support.orders import EVA, HOME, OFFICE, make_charge, make_line, make_order, make_voucher
from upbridge.core.canonical_json import canonical
from upbridge.systems.uphance.order_fingerprint import differences, mark, trace

CHANGES: dict[str, Any] = {
    "delivery": {"shopper": EVA.model_copy(update={"shipping": OFFICE})},
    "billing": {"shopper": EVA.model_copy(update={"billing": OFFICE})},
    "buyer": {"shopper": EVA.model_copy(update={"phone": "1"})},
    "note": {"shopper": EVA.model_copy(update={"note": "Prosím"})},
    "internal_note": {"internal_note": "Pozor"},
    "shipping": {"shipping": make_charge(0, branch_id="9")},
    "payment": {"payment": make_charge(0)},
    "discounts": {"discounts": [make_voucher(0)]},
    "currency": {"currency": "EUR"},
}


@pytest.mark.parametrize(
    "change",
    [
        {"updated_at": NOON + timedelta(1)},
        {"tracking_code": "X"},
        {"status_id": 4},
        {"paid_on": "2026-11-25"},
        {"external_order_number": "S1"},
        {"in_statistics": False},
        {"admin_url": "https://elsewhere"},
        {"total": Decimal("100.00")},
    ],
    ids=lambda change: next(iter(change)),
)
@pytest.mark.situation("status.only")
def test_what_would_not_be_sent_is_no_change(change: dict[str, Any]) -> None:
    assert mark(make_order(**change), canceled=False) == mark(make_order(), canceled=False)


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.situation("edit.address")
def test_what_would_be_sent_is_a_change_and_is_named(name: str) -> None:
    changed = make_order(**CHANGES[name])

    assert mark(changed, canceled=False) != mark(make_order(), canceled=False)
    assert [text.split(":")[0] for text in differences(trace(make_order()), trace(changed))] == [name]


def test_changed_goods_are_named_piece_by_piece() -> None:
    before = make_order(make_line("A1", 10, 2), make_line("A2", 5), make_line("A3", 1))
    after = make_order(make_line("A1", 10, 3), make_line("A4", 5), make_line("A3", 1))

    told = differences(trace(before), trace(after))

    assert told == ["A1: 2x 20 → 3x 30", "A2: 1x 5 → —", "A4: — → 1x 5", "total: 26 → 36"]


def test_cancelling_is_a_change() -> None:
    assert mark(make_order(), canceled=True) != mark(make_order(), canceled=False)


def test_what_is_kept_about_a_sent_order_names_no_person() -> None:
    one = make_order(
        shopper=EVA.model_copy(update={"note": "volejte Evě", "shipping": OFFICE}),
        shipping=make_charge(0, branch_name="Praha, Lidická"),
        internal_note="Nováková volala",
    )

    kept = canonical(trace(one)).decode()

    personal = ["Eva", "Nov", "Dlouh", "Krátk", "example.com", "600000000", "Lidick", HOME.postcode or ""]
    assert [word for word in personal if word in kept] == []

"""The price of an order in Uphance is compared with the price in the shop."""

from decimal import Decimal
from typing import Any

import pytest

from tests.support.orders import make_line, make_order
from upbridge.systems.uphance.order_fingerprint import trace
from upbridge.systems.uphance.tax import tax_remark


def remark(grand_total: Any, **overrides: Any) -> dict[str, Any] | None:
    """What is said of an order over 121, when they say *grand_total*."""
    sent = trace(make_order(make_line("A1", 121, 1), **overrides))
    found = tax_remark(sent, {"id": 7, "grand_total": grand_total})
    return None if found is None else {"key": found.key, **found.params}


def test_both_sums_are_said() -> None:
    assert remark("115.0") == {
        "key": "order.taxed_otherwise",
        "number": "26000001",
        "uphance_order": "7",
        "ours": "121.00",
        "theirs": "115.00",
        "currency": "CZK",
    }


@pytest.mark.parametrize(
    ("theirs", "told"),
    [("121.0", False), ("121.05", False), ("120.95", False), ("121.06", True), ("120.94", True), (121.05, False)],
)
def test_five_hundredths_are_rounding_and_six_are_not(theirs: Any, told: bool) -> None:
    assert (remark(theirs) is not None) is told


@pytest.mark.parametrize("theirs", [None, "", "free", True, "NaN", {"amount": 5}])
def test_a_total_that_cannot_be_read_says_nothing(theirs: Any) -> None:
    assert remark(theirs) is None


def test_an_answer_without_a_total_says_nothing() -> None:
    assert tax_remark(trace(make_order()), {"id": 7}) is None


def test_a_trace_that_does_not_say_what_was_charged_says_nothing() -> None:
    assert tax_remark({}, {"id": 7, "grand_total": "115.0"}) is None


def test_the_rounding_of_the_shop_is_no_difference() -> None:
    rounded = {"total": Decimal(121), "total_before_round": Decimal("121.30"), "rounding": Decimal("-0.30")}

    assert remark("121.3", **rounded) is None
    assert remark("121.0", **rounded) is not None

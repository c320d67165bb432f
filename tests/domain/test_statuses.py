"""Each type of status that Upgates publishes means one thing, to all targets."""

from collections.abc import Callable

import pytest

from tests.support.orders import make_order
from upbridge.domain.order import Order
from upbridge.domain.shop_profile import ShopProfile
from upbridge.domain.statuses import is_at_rest, is_cancelled, is_failed

Question = Callable[[Order, ShopProfile], bool]

ON_ITS_WAY = (
    "Received",
    "PaymentSuccessful",
    "PaymentInProcess",
    "Custom",
    "HomecreditProcessing",
    "HomecreditRejected",
    "HomecreditApproved",
    "HomecreditReadyToShip",
    "HomecreditSent",
    "HomecreditDelivered",
    "HomecreditPaid",
)


@pytest.mark.parametrize(
    ("types", "yes"),
    [
        pytest.param(("Canceled", "HomecreditCanceled"), {is_cancelled}, id="cancelled"),
        pytest.param(("PaymentFailed", "PaymentCanceled", "Unresolved"), {is_failed, is_at_rest}, id="failed"),
        pytest.param(("Sent",), {is_at_rest}, id="shipped by the shop"),
        pytest.param(ON_ITS_WAY, set(), id="on its way"),
        pytest.param(("SomethingNew",), set(), id="not published"),
    ],
)
def test_what_a_type_means(types: tuple[str, ...], yes: set[Question]) -> None:
    for type_ in types:
        facts = ShopProfile(status_types={3: type_})
        answers = {one for one in (is_cancelled, is_failed, is_at_rest) if one(make_order(status_id=3), facts)}
        assert answers == yes, type_


@pytest.mark.parametrize("status", [None, 0, 4])
def test_a_status_that_the_profile_lacks_means_nothing(status: int | None) -> None:
    facts = ShopProfile(status_types={3: "Canceled"})

    assert not any(ask(make_order(status_id=status), facts) for ask in (is_cancelled, is_failed, is_at_rest))

"""The verdict on an order, and that all who ask it act on the same one."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.clock import NOON
from tests.support.orders import make_order
from tests.support.uphance import SHOP_FACTS, mapping_context
from upbridge.domain.delivery import DesiredDocument
from upbridge.domain.eligibility import Eligibility, OrderPolicy
from upbridge.domain.order import Order
from upbridge.domain.shop_profile import ShopProfile
from upbridge.systems.uphance.order_policy import order_policy as of_uphance
from upbridge.systems.upp.mapping import order_documents
from upbridge.systems.upp.order_policy import order_policy as of_upp

#: Status ids by type, one of each that matters.
FACTS = ShopProfile(
    status_types=dict(
        enumerate(["Received", "Canceled", "HomecreditCanceled", "PaymentFailed", "Sent", "Custom"], start=1)
    )
)
RECEIVED, CANCELED, HOMECREDIT_CANCELED, FAILED, SENT, CUSTOM = range(1, 7)

WAREHOUSE = OrderPolicy(enabled=True, since=NOON, origins=["frontend"], statuses=[RECEIVED])
STATISTICS = OrderPolicy(enabled=True, since=NOON, origins=["frontend"], statistics_only=True)


def judged(policy: OrderPolicy, **overrides: Any) -> Eligibility:
    return policy.judge(make_order(**overrides), FACTS)


@pytest.mark.parametrize(
    ("overrides", "verdict"),
    [
        ({}, Eligibility.SENT),
        ({"origin": "admin"}, Eligibility.NOT_CHOSEN),
        ({"status_id": CANCELED}, Eligibility.CANCELLED),
        ({"status_id": HOMECREDIT_CANCELED}, Eligibility.CANCELLED),
        ({"created_at": NOON - timedelta(microseconds=1)}, Eligibility.TOO_OLD),
        ({"status_id": CANCELED, "created_at": NOON - timedelta(days=9)}, Eligibility.CANCELLED),
        ({"status_id": FAILED}, Eligibility.AT_REST),
        ({"status_id": SENT}, Eligibility.AT_REST),
        ({"status_id": CUSTOM}, Eligibility.WAITS),
        ({"status_id": None}, Eligibility.WAITS),
        ({"status_id": 99}, Eligibility.UNKNOWN),
        ({"in_statistics": False}, Eligibility.SENT),
    ],
)
def test_what_a_warehouse_is_sent(overrides: dict[str, Any], verdict: Eligibility) -> None:
    assert judged(WAREHOUSE, **overrides) is verdict


def test_an_order_of_the_second_in_which_a_system_was_connected_is_sent() -> None:
    """A shop tells whole seconds, so an order that was placed after it seems older by less than one."""
    policy = replace(WAREHOUSE, since=NOON + timedelta(milliseconds=900))

    assert judged(policy, created_at=NOON) is Eligibility.SENT
    assert judged(policy, created_at=NOON - timedelta(seconds=1)) is Eligibility.TOO_OLD


def test_about_an_unknown_status_only_the_shop_that_chose_it_decides() -> None:
    assert judged(STATISTICS, status_id=99) is Eligibility.UNKNOWN
    assert judged(replace(WAREHOUSE, statuses=[99]), status_id=99) is Eligibility.SENT
    assert judged(WAREHOUSE, status_id=99, created_at=NOON - timedelta(days=9)) is Eligibility.TOO_OLD
    assert STATISTICS.judge(make_order(status_id=99), ShopProfile()) is Eligibility.SENT


@pytest.mark.parametrize("status", [None, RECEIVED, FAILED, SENT, CUSTOM])
def test_who_counts_sales_is_sent_every_status_that_is_not_cancelled(status: int | None) -> None:
    assert judged(STATISTICS, status_id=status) is Eligibility.SENT
    assert judged(STATISTICS, status_id=status, in_statistics=False) is Eligibility.NOT_CHOSEN


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        pytest.param(SENT, Eligibility.SENT, id="one of those at rest can be chosen"),
        pytest.param(FAILED, Eligibility.AT_REST, id="a failed one never sends"),
        pytest.param(CANCELED, Eligibility.CANCELLED, id="a cancelled one never sends"),
    ],
)
def test_a_chosen_status(status: int, verdict: Eligibility) -> None:
    policy = OrderPolicy(enabled=True, since=NOON, origins=["frontend"], statuses=[status])

    assert judged(policy, status_id=status) is verdict


# --- the targets' policies ----------------------------------------------------------------------------------


def test_uphance_is_sent_orders_since_it_was_connected_in_the_statuses_that_are_ready() -> None:
    policy = of_uphance(mapping_context())

    assert policy == OrderPolicy(
        enabled=True,
        since=mapping_context().connection.connected_at,
        origins=["frontend", "admin", "api", "cash-register"],
        statuses=(1, 2),
    )


def test_upp_is_sent_what_advertising_can_have_caused() -> None:
    policy = of_upp(mapping_context({"upp.order_days": 3}))

    assert policy == OrderPolicy(
        enabled=True,
        since=mapping_context().connection.connected_at - timedelta(days=3),
        origins=["frontend"],
        statistics_only=True,
    )


@given(
    st.builds(
        make_order,
        status_id=st.sampled_from([None, *SHOP_FACTS.status_types]),
        origin=st.sampled_from(["frontend", "admin"]),
        in_statistics=st.booleans(),
        created_at=st.sampled_from([NOON, NOON - timedelta(days=60)]),
    ),
    st.booleans(),
)
def test_upp_has_exactly_the_orders_of_its_policy(one: Order, send: bool) -> None:
    context = mapping_context({"upp.send": send})
    verdict = of_upp(context).judge(one, context.facts)

    drafts = [draft for draft in order_documents(one, context) if isinstance(draft, DesiredDocument)]

    assert bool(drafts) is (verdict in (Eligibility.SENT, Eligibility.TOO_OLD))
    assert all(draft.only_if_known is (verdict is Eligibility.TOO_OLD) for draft in drafts)

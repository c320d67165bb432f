"""One list of events, and one shape of addresses, for those who subscribe and those who receive."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upbridge.domain import webhooks
from upbridge.domain.platform import PLATFORM

ORIGIN = "https://upbridge.example"
_PART = st.text("abcXYZ019-_=", min_size=1)


@pytest.mark.parametrize("event", ["Orders.create", "ORDERS.DELETE", "Payments.update", "Languages.create"])
def test_case_makes_no_difference_to_what_we_listen_to(event: str) -> None:
    assert webhooks.is_subscribed(event)


@pytest.mark.parametrize(
    "event", ["Customers.create", "Orders", "Orders.", ".create", "Orders.create.x", "", "orders.lost"]
)
def test_no_other_event_is_listened_to(event: str) -> None:
    assert not webhooks.is_subscribed(event)


def test_each_section_is_about_orders_products_or_facts() -> None:
    events = [f"{section}.update" for section in ("orders", "products", *webhooks.FACTS, *webhooks.WATCHED)]

    assert all(webhooks.is_subscribed(event) for event in events)
    assert [webhooks.is_about_facts(event) for event in events] == [False, False, *[True] * (len(events) - 2)]


@given(event=_PART, token=_PART, other=_PART)
def test_addresses_of_a_source_share_their_beginning_and_its_route(event: str, token: str, other: str) -> None:
    for source in (PLATFORM, "other"):
        one = webhooks.address(ORIGIN, source, event, token)
        beginning = webhooks.shared_beginning(one, source)

        assert one.startswith(beginning)
        assert webhooks.address(ORIGIN, source, other, other).startswith(beginning)
        assert one == ORIGIN + webhooks.route(source).replace("{event}", event).replace("{token}", token)

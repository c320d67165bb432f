from datetime import timedelta
from typing import Any

import pytest

from tests.support.clock import NOON
from upbridge.domain.webhooks import is_subscribed
from upbridge.systems.platform import FailedCall
from upbridge.systems.upgates.subscriptions import (
    RECENTLY,
    Webhook,
    WebhookComparison,
    WebhookEvent,
    WebhookPlan,
    failed_calls,
    plan,
    reconcile_webhooks,
)

OURS = "https://upbridge.example.com/webhooks/upgates/"
ALL = [
    f"{section}.{action}"
    for section in ("Orders", "Products", "OrderStatuses", "Languages", "Pricelists")
    for action in ("create", "update", "delete")
]


def url_for(event: str) -> str:
    return f"{OURS}{event}/token-{event}"


def events(*names: str, allowed: Any = True) -> list[WebhookEvent]:
    return [WebhookEvent.model_validate({"name": name, "allowed_yn": allowed}) for name in names]


def hook(number: int, event: str, url: str | None = None, active: Any = True, **more: Any) -> Webhook:
    raw = {"id": number, "event": event, "url": url or url_for(event), "active_yn": active, **more}
    return Webhook.model_validate(raw)


def planned(listed: list[WebhookEvent], existing: list[Webhook]) -> WebhookPlan:
    return plan(listed, existing, ours=OURS, url_for=url_for)


class TestWanted:
    @pytest.mark.rule("R48", "R52")
    @pytest.mark.parametrize("name", [*ALL, "orders.UPDATE"])
    def test_what_we_carry_and_what_renews_the_facts(self, name: str) -> None:
        assert is_subscribed(name)

    @pytest.mark.rule("R46")
    @pytest.mark.parametrize("name", ["Customers.update", "Orders.archive", "Orders", "", "Invoices.create"])
    def test_nothing_else(self, name: str) -> None:
        assert not is_subscribed(name)


class TestWatched:
    """Events of lists that we can do without."""

    NEW = "Shipments.create"

    @pytest.mark.parametrize(
        ("allowed", "granted", "expected"),
        [
            (True, {"shipments"}, (NEW,)),
            (True, {"payments"}, ()),
            (False, {"shipments"}, ()),
            (None, {"shipments"}, ()),
        ],
    )
    def test_are_subscribed_to_where_both_answers_grant_them(
        self, allowed: Any, granted: set[str], expected: tuple[str, ...]
    ) -> None:
        listed = events(self.NEW, allowed=allowed)

        assert plan(listed, [], ours=OURS, url_for=url_for, granted=granted) == WebhookPlan(create=expected)

    async def test_that_they_are_denied_is_no_alarm(self) -> None:
        client = _Client([*events(self.NEW, "Payments.update", allowed=False), *events("Orders.create")], [])

        compared = await reconcile_webhooks(client, url_for, "Upbridge", now=NOON)

        assert compared == WebhookComparison(WebhookPlan(create=("Orders.create",)))


class TestPlan:
    @pytest.mark.rule("R35")
    def test_a_new_shop_gets_one_of_each(self) -> None:
        assert planned(events(*ALL, "Customers.create"), []) == WebhookPlan(create=tuple(ALL))

    def test_what_is_right_stays(self) -> None:
        assert not planned(events(*ALL), [hook(number, name) for number, name in enumerate(ALL)])

    @pytest.mark.rule("R42")
    def test_names_are_taken_from_the_server_and_compared_without_case(self) -> None:
        assert planned(events("orders.Update"), []).create == ("orders.Update",)
        assert not planned(events("Orders.Update"), [hook(1, "orders.update", url=url_for("Orders.Update"))])

    @pytest.mark.rule("R42")
    def test_what_is_not_allowed_is_not_created(self) -> None:
        assert planned(events("Orders.update", allowed="0"), []) == WebhookPlan()

    def test_one_that_lost_its_right_waits_for_it(self) -> None:
        assert (
            planned(events("Orders.update", allowed=False), [hook(1, "Orders.update", active=0)]) == WebhookPlan()
        )

    @pytest.mark.rule("R45")
    def test_a_dead_one_is_restored(self) -> None:
        assert planned(events("Orders.update"), [hook(1, "Orders.update", active="0")]) == WebhookPlan(
            activate=(1,)
        )

    def test_strangers_are_left_alone(self) -> None:
        stranger = hook(1, "Orders.update", url="https://elsewhere.example.com/webhooks/upgates/x")

        assert planned(events("Orders.update"), [stranger]) == WebhookPlan(create=("Orders.update",))

    def test_one_with_an_old_token_is_replaced(self) -> None:
        old = hook(1, "Orders.update", url=f"{OURS}Orders.update/old")

        assert planned(events("Orders.update"), [old]) == WebhookPlan(create=("Orders.update",), delete=(1,))

    def test_one_for_an_event_that_we_do_not_want_goes(self) -> None:
        old = hook(1, "Customers.update")

        assert planned(
            events("Orders.update", "Customers.update"), [old, hook(2, "Orders.update")]
        ) == WebhookPlan(delete=(1,))

    def test_of_two_the_inactive_one_goes(self) -> None:
        both = [hook(1, "Orders.update", active=False), hook(2, "Orders.update")]

        assert planned(events("Orders.update"), both) == WebhookPlan(delete=(1,))

    def test_an_empty_list_of_events_deletes_nothing(self) -> None:
        assert planned([], [hook(1, "Orders.update")]) == WebhookPlan()

    def test_doing_it_once_is_enough(self) -> None:
        old = [hook(1, "Orders.update", url=f"{OURS}Orders.update/old"), hook(2, "Products.update", active=False)]
        actions = planned(events(*ALL), old)

        after = [hook(100 + number, name) for number, name in enumerate(actions.create)]
        after += [hook(number, "Products.update") for number in actions.activate]

        assert not planned(events(*ALL), after)


def test_the_address_of_a_webhook_is_not_shown() -> None:
    assert "token" not in repr(hook(1, "Orders.update"))
    assert "token" not in str([hook(1, "Orders.update")])


class TestFailedCalls:
    """What Upgates tells about the last calls of a webhook."""

    @staticmethod
    def told(error: Any, success: Any, status: Any = 503) -> tuple[FailedCall, ...]:
        one = hook(
            1, "Orders.update", last_error_call=error, last_success_call=success, last_error_call_status=status
        )
        return failed_calls([one], now=NOON)

    @pytest.mark.rule("R45")
    def test_a_last_call_that_failed_is_reported_with_its_time_and_answer(self) -> None:
        ago = NOON - timedelta(hours=1)
        failed = (FailedCall("Orders.update", ago, 503),)

        assert self.told(ago.isoformat(), None) == failed
        assert self.told(ago.isoformat(), (ago - timedelta(seconds=1)).isoformat(), "503") == failed
        assert self.told(ago.isoformat(), None, None) == (FailedCall("Orders.update", ago, None),)

    def test_one_that_succeeded_afterwards_or_never_failed_is_not(self) -> None:
        ago = NOON - timedelta(hours=1)

        assert self.told(ago.isoformat(), (ago + timedelta(minutes=5)).isoformat()) == ()
        assert self.told(None, ago.isoformat(), None) == ()

    def test_an_old_failure_of_a_rare_event_is_not(self) -> None:
        assert self.told((NOON - RECENTLY).isoformat(), None) == ()

    def test_nonsense_about_calls_hides_no_dead_webhook(self) -> None:
        dead = hook(1, "Orders.update", active=0, last_error_call="yesterday", last_error_call_status="bad")

        assert failed_calls([dead], now=NOON) == ()
        assert planned(events("Orders.update"), [dead]) == WebhookPlan(activate=(1,))

    def test_the_newest_comes_first(self) -> None:
        both = [
            hook(place, name, last_error_call=(NOON - timedelta(hours=hours)).isoformat())
            for place, (name, hours) in enumerate({"Orders.update": 2, "Products.update": 1}.items())
        ]

        assert [one.event for one in failed_calls(both, now=NOON)] == ["Products.update", "Orders.update"]


class _Client:
    """Remembers what was asked of it."""

    def __init__(self, listed: list[WebhookEvent], existing: list[Webhook]) -> None:
        self.listed = listed
        self.existing = existing
        self.did: list[Any] = []

    async def webhooks(self) -> list[Webhook]:
        return self.existing

    async def webhook_events(self) -> list[WebhookEvent]:
        return self.listed

    async def create_webhook(self, *, event: str, url: str, name: str) -> None:
        self.did.append(("create", event, url, name))

    async def activate_webhook(self, webhook_id: int) -> None:
        self.did.append(("activate", webhook_id))

    async def delete_webhooks(self, ids: Any) -> None:
        self.did += [("delete", number) for number in ids]


@pytest.mark.rule("R35", "R45")
async def test_reconciling_does_what_is_planned_and_deletes_last() -> None:
    client = _Client(
        events("Orders.create", "Orders.update"),
        [hook(1, "Orders.update", active=False), hook(2, "Orders.create", url=f"{OURS}Orders.create/old")],
    )

    compared = await reconcile_webhooks(client, url_for, "Upbridge", now=NOON)

    assert compared == WebhookComparison(WebhookPlan(create=("Orders.create",), activate=(1,), delete=(2,)))
    assert client.did == [
        ("create", "Orders.create", url_for("Orders.create"), "Upbridge"),
        ("activate", 1),
        ("delete", 2),
    ]


@pytest.mark.rule("R45")
async def test_failed_calls_of_those_that_stay_are_reported_and_of_no_others() -> None:
    failed: dict[str, Any] = {"last_error_call": NOON.isoformat(), "last_error_call_status": 500}
    client = _Client(
        events("Orders.create", "Orders.update"),
        [
            hook(1, "Orders.update", **failed),
            hook(2, "Orders.create", url=f"{OURS}Orders.create/old", **failed),
            hook(3, "Orders.create", url="https://elsewhere.example.com/hook", **failed),
        ],
    )

    compared = await reconcile_webhooks(client, url_for, "Upbridge", now=NOON)

    assert compared.failed == (FailedCall("Orders.update", NOON, 500),)

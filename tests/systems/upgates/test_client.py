from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx
import pytest

from tests.support.upgates import (
    CONFIG,
    LANGUAGES,
    OWNER,
    PRICELISTS,
    STATUS,
    STATUSES,
    Json,
    Upgates,
    answering,
    by_path,
    listed,
    raw_order,
    raw_product,
    raw_variant,
)
from upbridge.core.errors import Rejected, RightRefused, Unreachable
from upbridge.domain.purpose import Purpose
from upbridge.domain.shop_profile import ShopProfile
from upbridge.systems.platform import OrderFilter, ProductFilter
from upbridge.systems.upgates.payloads import OrderChange

MOMENT = datetime(2026, 11, 20, 9, 0, 0, 500, tzinfo=UTC)


def paged(name: str, rows: list[Json], size: int, *, key: str, asked: str) -> Upgates:
    """A server that lists the *rows* whose *key* was asked for, *size* to a page."""

    def handle(request: httpx.Request) -> httpx.Response:
        wanted = request.url.params[asked].split(";")
        found = [row for row in rows if str(row[key]) in wanted]
        page = int(request.url.params["page"])
        pages = -(-len(found) // size)
        shown = found[(page - 1) * size : page * size]
        answer = listed(name, shown, number_of_pages=pages, number_of_items=len(found), current_page=page)
        return httpx.Response(200, json=answer)

    return Upgates(handle)


class TestFacts:
    ANSWERS: tuple[tuple[str, Any], ...] = (
        ("/status", STATUS),
        ("/owner", OWNER),
        ("/languages", LANGUAGES),
        ("/pricelists", PRICELISTS),
        ("/config", CONFIG),
        ("/order-statuses", STATUSES),
    )

    async def test_rights_come_first_and_what_they_deny_is_not_asked_for(self) -> None:
        upgates = by_path(dict(self.ANSWERS))

        facts = (await upgates.client.facts()).profile

        asked = [request.url.path.removeprefix("/api/v2") for request in upgates.requests]
        assert asked == ["/status", "/languages", "/pricelists", "/config", "/order-statuses"]
        assert facts.company is None
        assert facts.currencies == {"sk": "EUR", "cs": "CZK"}
        assert facts.rights["owner"] == "deny"

    @pytest.mark.rule("R52")
    async def test_the_owner_is_asked_for_once(self) -> None:
        upgates = by_path({**dict(self.ANSWERS), "/status": {"services": []}})
        first = (await upgates.client.facts()).profile
        asked = len(upgates.requests)

        second = (await upgates.client.facts(known=first, owner=False)).profile

        assert first.company == second.company == "Šatník s.r.o."
        assert (asked, len(upgates.requests)) == (6, 11)

    async def test_ways_to_deliver_and_to_pay_are_read_where_they_are_granted(self) -> None:
        upgates = by_path(
            {
                **dict(self.ANSWERS),
                "/status": {"services": [{"service": "shipments", "privilege": "readonly"}]},
                "/shipments": listed(
                    "shipments",
                    [
                        {"id": "4", "active_yn": True, "descriptions": [{"language_id": "cs", "name": "PPL"}]},
                        {"id": "5", "active_yn": False, "descriptions": None},
                        {"id": "x"},
                    ],
                ),
            }
        )

        facts = (await upgates.client.facts()).profile

        assert (facts.carriers, facts.payments) == ({4: {"cs": "PPL"}}, None)

    @pytest.mark.parametrize("status", [403, 404, 500])
    async def test_nothing_waits_for_a_list_of_ways_to_pay_that_cannot_be_read(self, status: int) -> None:
        answers = {**dict(self.ANSWERS), "/status": {"services": [{"service": "payments", "privilege": "all"}]}}
        known = ShopProfile(payments={2: {"cs": "Karta"}})

        def answer(request: httpx.Request) -> httpx.Response:
            path = request.url.path.removeprefix("/api/v2")
            return httpx.Response(status) if path == "/payments" else httpx.Response(200, json=answers[path])

        facts = (await Upgates(answer).client.facts(known=known)).profile

        assert (facts.payments, facts.currencies) == (known.payments, {"sk": "EUR", "cs": "CZK"})

    async def test_a_refused_login_is_not_mistaken_for_a_missing_right(self) -> None:
        with pytest.raises(RightRefused):
            await answering({}, status=403).client.facts()

    @pytest.mark.parametrize("name", [path for path, _ in ANSWERS])
    async def test_a_list_that_cannot_be_read_stays_as_it_was_and_the_others_are_read(self, name: str) -> None:
        answers = {**dict(self.ANSWERS), "/status": {"services": []}}
        before = (await by_path(answers).client.facts()).profile
        del answers[name]

        first = await by_path(answers).client.facts()
        later = await by_path(answers).client.facts(known=before)

        assert list(later.failures) == list(first.failures) == list(first.profile.unread) == [name[1:]]
        assert later.profile == before

    @pytest.mark.parametrize("answer", [answering({}, 500), answering([], 200), answering({}, 404)])
    async def test_an_api_that_answers_nothing_is_asked_for_two_lists_and_no_more(self, answer: Upgates) -> None:
        with pytest.raises((Unreachable, Rejected)):
            await answer.client.facts()

        assert len(answer.requests) == 2

    async def test_nonsense_is_no_answer(self) -> None:
        answers = {**dict(self.ANSWERS), "/config": {"config": {"vat_payer_yn": "perhaps"}}}
        known = ShopProfile(vat_payer=False)

        read = await by_path(answers).client.facts(known=known)

        assert read.failures["config"].startswith("the answer makes no sense")
        assert read.profile.vat_payer is False


class TestLists:
    @pytest.mark.rule("R53")
    async def test_products_are_asked_for_a_hundred_at_a_time(self) -> None:
        upgates = answering(listed("products", [raw_product()], number_of_pages=3, number_of_items=201))

        page = await upgates.client.products_page(
            2, filters=ProductFilter(updated_from=MOMENT, active=True, archived=False), purpose=Purpose.IMPORT
        )

        assert dict(upgates.requests[0].url.params) == {
            "last_update_time_from": "2026-11-20T10:00:00+01:00",
            "active_yn": "true",
            "archived_yn": "false",
            "page": "2",
            "current_page_items": "100",
        }
        assert (page.page, page.pages, page.total, page.items[0].product_id) == (2, 3, 201, 41)

    @pytest.mark.parametrize(
        ("filters", "expected"),
        [
            (None, {"order_by": "creation_time"}),
            (
                OrderFilter(created_from=MOMENT, created_to=MOMENT),
                {
                    "creation_time_from": "2026-11-20T10:00:00+01:00",
                    "creation_time_to": "2026-11-20T10:00:00+01:00",
                    "order_by": "creation_time",
                },
            ),
            (
                OrderFilter(updated_from=MOMENT),
                {"last_update_time_from": "2026-11-20T10:00:00+01:00", "order_by": "last_update_time"},
            ),
        ],
    )
    async def test_orders_come_oldest_first(self, filters: OrderFilter | None, expected: Json) -> None:
        upgates = answering(listed("orders", [raw_order()]))

        page = await upgates.client.orders_page(1, filters=filters, purpose=Purpose.IMPORT)

        assert dict(upgates.requests[0].url.params) == {**expected, "order_dir": "asc", "page": "1"}
        assert [order.order_number for order in page.items] == ["OBJ-1"]

    async def test_what_cannot_be_read_is_put_aside(self) -> None:
        upgates = answering(listed("orders", [raw_order(currency_id=None), raw_order(order_number="OBJ-2")]))

        page = await upgates.client.orders_page(1, purpose=Purpose.IMPORT)

        assert [order.order_number for order in page.items] == ["OBJ-2"]
        assert [(bad.key, bad.reason) for bad in page.broken] == [("OBJ-1", "currency_id is missing")]

    @pytest.mark.parametrize("answer", [{}, {"orders": None}, {"orders": "none"}, {"products": []}])
    async def test_an_answer_without_its_list_is_no_answer(self, answer: Json) -> None:
        with pytest.raises(Unreachable, match="no orders"):
            await answering(answer).client.orders_page(1, purpose=Purpose.IMPORT)

    async def test_without_a_number_of_pages_there_is_one_more_while_something_comes(self) -> None:
        some = await answering({"orders": [raw_order()]}).client.orders_page(3, purpose=Purpose.IMPORT)
        none = await answering({"orders": []}).client.orders_page(4, purpose=Purpose.IMPORT)

        assert (some.pages, none.pages) == (4, 4)

    async def test_amounts_never_pass_through_binary_floating_point(self) -> None:
        body = b'{"orders": [{"order_number": "1", "currency_id": "CZK", "creation_time": "2026-01-01",'
        body += b' "order_total": 0.1}]}'
        upgates = Upgates(lambda _request: httpx.Response(200, content=body))

        page = await upgates.client.orders_page(1, purpose=Purpose.IMPORT)

        assert page.items[0].total == Decimal("0.1")


class TestByIds:
    @pytest.mark.rule("R53")
    async def test_as_many_as_the_server_allows_come_in_one_call(self) -> None:
        rows = [raw_product(product_id=number) for number in range(1, 101)]
        upgates = paged("products", rows, 100, key="product_id", asked="product_ids")

        page = await upgates.client.products_by_ids([*range(1, 101), 1], purpose=Purpose.PRODUCTS)

        assert len(upgates.requests) == 1
        assert upgates.requests[0].url.params["product_ids"].startswith("1;2;3;")
        assert [product.product_id for product in page.items] == list(range(1, 101))

    async def test_a_server_with_smaller_pages_is_read_to_the_end(self) -> None:
        rows = [raw_product(product_id=number) for number in range(1, 71)]
        upgates = paged("products", rows, 25, key="product_id", asked="product_ids")

        page = await upgates.client.products_by_ids(range(1, 101), purpose=Purpose.PRODUCTS)

        assert len(upgates.requests) == 3
        assert (len(page.items), page.page, page.pages, page.total) == (70, 1, 1, 70)

    async def test_more_than_a_page_of_ids_takes_more_calls(self) -> None:
        rows = [raw_product(product_id=number) for number in range(1, 251)]
        upgates = paged("products", rows, 100, key="product_id", asked="product_ids")

        page = await upgates.client.products_by_ids(range(1, 251), purpose=Purpose.PRODUCTS)

        assert (len(upgates.requests), len(page.items)) == (3, 250)

    async def test_nothing_asked_is_nothing_called(self) -> None:
        upgates = answering({})

        page = await upgates.client.products_by_ids([], purpose=Purpose.PRODUCTS)

        assert (page.items, upgates.requests) == ([], [])

    async def test_a_list_that_moves_between_two_pages_is_no_answer(self) -> None:
        """As many came as there are: the one that moved came twice, and another one not at all."""
        rows = [raw_product(product_id=number) for number in (1, 2, 3, 4)]
        answers = iter([rows[:2], [rows[3], rows[0]]])
        upgates = Upgates(
            lambda _: httpx.Response(
                200, json=listed("products", next(answers), number_of_items=4, number_of_pages=2)
            )
        )

        with pytest.raises(Unreachable, match="3 came of 4"):
            await upgates.client.products_by_ids([1, 2, 3, 4], purpose=Purpose.PRODUCTS)

    async def test_a_list_that_does_not_come_whole_is_no_answer(self) -> None:
        """Otherwise what is missing would be taken for deleted."""
        upgates = answering(listed("products", [raw_product()], number_of_items=2))

        with pytest.raises(Unreachable, match="1 came of 2"):
            await upgates.client.products_by_ids([41, 42], purpose=Purpose.PRODUCTS)

    @pytest.mark.rule("R53")
    async def test_order_numbers_are_joined_and_one_with_a_semicolon_goes_alone(self) -> None:
        rows = [raw_order(order_number=number) for number in ("A", "B", "C;D")]

        def handle(request: httpx.Request) -> httpx.Response:
            if request.url.raw_path.endswith(b"/orders/C%3BD"):
                return httpx.Response(200, json=listed("orders", rows[2:]))
            if request.url.path.endswith("/orders"):
                assert request.url.params["order_numbers"] == "A;B"
                return httpx.Response(200, json=listed("orders", rows[:2]))
            return httpx.Response(404, json={})

        page = await Upgates(handle).client.orders_by_numbers(["A", "C;D", "B", "E;F"], purpose=Purpose.ORDERS)

        assert [order.order_number for order in page.items] == ["A", "B", "C;D"]
        assert page.total == 3

    async def test_long_numbers_make_short_lists(self) -> None:
        rows = [raw_order(order_number=f"{'9' * 60}{number}") for number in range(100)]
        upgates = paged("orders", rows, 100, key="order_number", asked="order_numbers")

        page = await upgates.client.orders_by_numbers(
            [row["order_number"] for row in rows], purpose=Purpose.ORDERS
        )

        assert len(page.items) == 100
        assert all(len(str(request.url)) < 8000 for request in upgates.requests)

    async def test_parameters_come_by_variant(self) -> None:
        red = {"name": {"cs": "Barva"}, "values": [{"cs": "červená"}]}
        rows: list[Json] = [{"product_id": 41, "variants": [raw_variant(parameters=[red])]}, {"product_id": None}]
        upgates = answering(listed("products", rows))

        page = await upgates.client.product_parameters([41, 42], language="cs", purpose=Purpose.PRODUCTS)

        assert page.items == [{5001: (("Barva", "červená"),)}]
        assert len(page.broken) == 1
        assert upgates.requests[0].url.path == "/api/v2/products/parameters"

    async def test_the_names_of_parameters_come_first_that_most_variants_have(self) -> None:
        def worn(number: int, *names: str) -> Json:
            parameters = [{"name": {"cs": name}, "values": [{"cs": "x"}]} for name in names]
            return raw_variant(variant_id=number, parameters=parameters)

        rows = [{"product_id": 41, "variants": [worn(1, "Barva", "Velikost"), worn(2, "Velikost")]}]
        upgates = answering(listed("products", rows))

        assert await upgates.client.parameter_names(language="cs", purpose=Purpose.PRODUCTS) == (
            "Velikost",
            "Barva",
        )
        assert len(upgates.requests) == 1
        broken = answering({}, status=500).client
        assert await broken.parameter_names(purpose=Purpose.PRODUCTS) is None


class TestPutStock:
    async def test_numbers_go_out_absolute_and_results_come_back_one_by_one(self) -> None:
        answer = {
            "products": [
                {"code": "P", "updated_yn": True, "messages": []},
                {
                    "product_id": 9,
                    "variants": [
                        {"code": "v1", "updated_yn": 1, "messages": None},
                        {
                            "code": "V2",
                            "updated_yn": False,
                            "messages": [{"property": "stock", "message": "no", "level": "error"}],
                        },
                    ],
                },
            ]
        }
        upgates = answering(answer)

        results = await upgates.client.put_stock(
            variants=[("V1", Decimal("3.0")), ("V2", Decimal("2.5")), ("V3", Decimal(0))],
            products=[("P", Decimal(7))],
        )

        assert upgates.bodies() == [
            {
                "products": [{"code": "P", "stock": 7}],
                "variants": [{"code": "V1", "stock": 3}, {"code": "V2", "stock": 2.5}, {"code": "V3", "stock": 0}],
            }
        ]
        assert [(result.kind, result.key, result.updated, result.messages) for result in results] == [
            ("variant", "V1", True, ()),
            ("variant", "V2", False, ("stock: no",)),
            ("variant", "V3", None, ()),
            ("product", "P", True, ()),
        ]

    async def test_variants_may_be_answered_at_the_top_as_well(self) -> None:
        upgates = answering({"products": [], "variants": [{"code": "V1", "updated_yn": "1"}]})

        (result,) = await upgates.client.put_stock(variants=[("V1", Decimal(1))])

        assert result.updated is True
        assert upgates.bodies() == [{"variants": [{"code": "V1", "stock": 1}]}]

    async def test_an_error_without_a_flag_is_a_no(self) -> None:
        answer = {"variants": [{"code": "V1", "messages": [{"message": "unknown", "level": "error"}]}]}

        (result,) = await answering(answer).client.put_stock(variants=[("V1", Decimal(1))])

        assert (result.updated, result.messages) == (False, ("unknown",))

    @pytest.mark.rule("R53")
    async def test_more_than_a_hundred_is_a_mistake_and_none_is_no_call(self) -> None:
        upgates = answering({})

        with pytest.raises(ValueError, match="at most 100"):
            await upgates.client.put_stock(products=[("P", Decimal(1))] * 101)
        assert await upgates.client.put_stock() == []
        assert upgates.requests == []


class TestPutOrders:
    @pytest.mark.rule("R53")
    async def test_only_what_changed_is_sent(self) -> None:
        upgates = answering({"orders": [{"order_number": "A", "updated_yn": True, "messages": []}]})

        results = await upgates.client.put_orders(
            [OrderChange("A", status_id=4, tracking_code="T1"), OrderChange("B", external_order_number="S-1")],
            notify=False,
        )

        assert upgates.bodies() == [
            {
                "send_emails_yn": False,
                "send_sms_yn": False,
                "orders": [
                    {"order_number": "A", "status_id": 4, "tracking_code": "T1"},
                    {"order_number": "B", "external_order_number": "S-1"},
                ],
            }
        ]
        assert [(result.key, result.updated) for result in results] == [("A", True), ("B", None)]

    async def test_the_answer_that_the_openapi_prints_will_do(self) -> None:
        answer = {
            "order_number": "A",
            "updated_yn": False,
            "orders": {"messages": [{"message": "no such status"}]},
        }

        (result,) = await answering(answer).client.put_orders([OrderChange("A", status_id=4)], notify=True)

        assert (result.updated, result.messages) == (False, ("no such status",))

    async def test_history_is_cut_to_what_the_shop_keeps(self) -> None:
        upgates = answering({"updated": True, "messages": []})

        result = await upgates.client.add_history("A 1", [("n" * 60, "v" * 600)])

        assert result.updated is True
        assert upgates.requests[0].url.path == "/api/v2/orders/A 1/history"
        assert upgates.bodies() == [{"data": [{"name": "n" * 50, "value": "v" * 500}]}]


class TestWebhooks:
    async def test_they_are_listed_made_switched_on_and_deleted(self) -> None:
        def handle(request: httpx.Request) -> httpx.Response:
            match request.method, request.url.path.removeprefix("/api/v2"):
                case "GET", "/webhooks":
                    rows = [{"id": "1", "active_yn": "0", "event": "Orders.update", "url": "https://a/"}]
                    return httpx.Response(200, json={"webhooks": rows})
                case "GET", "/webhooks/events":
                    return httpx.Response(200, json={"events": [{"name": "Orders.update", "allowed_yn": "1"}]})
                case "DELETE", "/webhooks/2":
                    return httpx.Response(404, json={})
                case _:
                    return httpx.Response(200, json={"webhook": {"id": 5, "event": "Orders.update"}})

        upgates = Upgates(handle)
        client = upgates.client

        (webhook,) = await client.webhooks()
        (event,) = await client.webhook_events()
        created = await client.create_webhook(event="Orders.update", url="https://a/b", name="Upbridge")
        await client.activate_webhook(1)
        await client.delete_webhooks([1, 2])

        assert (webhook.id, webhook.active_yn, event.allowed_yn, created.id) == (1, False, True, 5)
        assert upgates.bodies()[2:4] == [
            {"active_yn": True, "event": "Orders.update", "name": "Upbridge", "url": "https://a/b"},
            {"active_yn": True, "id": 1},
        ]
        assert [request.method for request in upgates.requests[4:]] == ["DELETE", "DELETE"]
        assert {purpose for _, _, purpose in upgates.ledger.paid} == {Purpose.LIFECYCLE}

    async def test_an_answer_without_a_webhook_created_none(self) -> None:
        with pytest.raises(Rejected):
            await answering({"messages": []}).client.create_webhook(event="E", url="https://a/", name="n")


async def test_status_tells_the_rights() -> None:
    rights = await answering(STATUS).client.status()

    assert rights == {"orders": "all", "products": "readonly", "owner": "deny"}

"""Products as Upp should hold them."""

import json
import re
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.shop_settings import make_settings
from tests.support.upp import (
    drafts,
    issues_of,
    make_document,
    make_front,
    make_order,
    make_price,
    make_product,
    make_variant,
)
from upbridge.domain.delivery import Issue, Unmappable
from upbridge.domain.product import Product, ProductText
from upbridge.domain.unread import Unread
from upbridge.systems.base import MappingContext, NameOwner, NameOwners, UniqueName
from upbridge.systems.upp.mapping import order_documents, product_documents, sku_of, tombstone
from upbridge.systems.upp.target import UppTarget

FRONT = make_front()


def body_of(product: Product, context: MappingContext = FRONT) -> dict[str, Any]:
    (draft,) = drafts(product_documents(product, context))
    body: dict[str, Any] = json.loads(draft.body)
    return body


class TestAnExample:
    def test_a_variant_is_sent_in_full(self) -> None:
        product = make_product(make_variant(prices=(make_price(sale=Decimal("890.90")),)), backorder=True)

        (draft,) = drafts(product_documents(product, FRONT))

        assert (draft.kind, draft.key, draft.parent, draft.only_if_known) == ("product", "v-4711", "12", False)
        assert draft.body.decode() == (
            '{"active":true,"backorder":true,"brand":"Šicí dílna","category":"Oblečení","costOfGoods":400.5,'
            '"currency":"CZK","ean":"0012345678905","externalProductId":"v-4711","groupId":"12",'
            '"imageUrl":"https://cdn.example.com/1.jpg","price":990,"priceCurrency":"CZK","salePrice":890.9,'
            '"sku":"AB-4711","stock":12,"title":"Košile","url":"https://shop.example.cz/p/kosile"}'
        )

    def test_what_is_not_known_is_left_out_rather_than_sent_as_zero(self) -> None:
        variant = make_variant(
            None, code=None, ean=None, stock=None, image=None, prices=(make_price(purchase=None, currency=None),)
        )
        product = make_product(variant, texts=(), manufacturer="", category=None)

        assert body_of(product) == {
            "active": True,
            "currency": "CZK",
            "externalProductId": "p-12",
            "groupId": "12",
            "price": 990,
            "priceCurrency": "CZK",
            "sku": "p-12",
        }

    def test_the_prefix_stands_before_every_id_and_before_nothing_else(self) -> None:
        context = make_front(prefix="shop-2-")
        product = make_product(make_variant(), make_variant(4712, code=None))

        first, second = drafts(product_documents(product, context))

        assert (first.key, second.key) == ("v-4711", "v-4712")
        bodies = [json.loads(one.body) for one in (first, second)]
        assert [one["externalProductId"] for one in bodies] == ["shop-2-v-4711", "shop-2-v-4712"]
        assert [one["groupId"] for one in bodies] == ["shop-2-12"] * 2
        assert [one["sku"] for one in bodies] == ["AB-4711", "shop-2-v-4712"]


class TestPrices:
    PRICES = (
        make_price(pricelist="VIP", with_vat=Decimal(700)),
        make_price(language="sk", currency="EUR", with_vat=Decimal("41.30")),
        make_price(),
    )

    @pytest.mark.parametrize(
        ("shop_settings", "price", "currency"),
        [
            pytest.param({}, 990, "CZK", id="the shop's defaults"),
            pytest.param({"upp_language": "sk"}, 41.3, "EUR", id="another language"),
            pytest.param({"upp_pricelist": "VIP"}, 700, "CZK", id="another list"),
        ],
    )
    def test_the_chosen_language_and_list_say_the_price(
        self, shop_settings: dict[str, Any], price: float, currency: str
    ) -> None:
        body = body_of(make_product(make_variant(prices=self.PRICES)), make_front(**shop_settings))

        assert (body["price"], body["currency"], body["priceCurrency"]) == (price, currency, currency)

    @pytest.mark.parametrize(
        "prices",
        [
            pytest.param((), id="no price at all"),
            pytest.param((make_price(with_vat=None),), id="a price without an amount"),
            pytest.param((make_price(language="sk"),), id="another language's"),
            pytest.param((make_price(pricelist="VIP"),), id="another list's"),
        ],
    )
    @pytest.mark.situation("product.price")
    def test_no_price_is_a_problem_and_takes_back_what_was_sent(self, prices: Any) -> None:
        wanted = list(product_documents(make_product(make_variant(prices=prices)), FRONT))

        (unmappable,) = issues_of(wanted)
        assert (unmappable.kind, unmappable.key, unmappable.issue.key) == ("product", "v-4711", "product.no_price")
        assert unmappable.issue.params == {"title": "Košile", "sku": "AB-4711"}
        (draft,) = drafts(wanted)
        body = json.loads(draft.body)
        assert draft.only_if_known
        assert (body["stock"], body["active"]) == (0, False)
        assert "price" not in body

    def test_a_variant_without_a_price_does_not_stop_the_others(self) -> None:
        wanted = list(product_documents(make_product(make_variant(prices=()), make_variant(4712)), FRONT))

        assert [one.key for one in drafts(wanted) if not one.only_if_known] == ["v-4712"]

    def test_a_list_without_a_name_is_the_default_one(self) -> None:
        variant = make_variant(prices=(make_price(pricelist=""),))

        assert body_of(make_product(variant))["price"] == 990
        assert issues_of(product_documents(make_product(variant), make_front(upp_pricelist="VIP")))

    def test_the_shop_that_has_not_said_its_defaults_gets_any_price(self) -> None:
        context = make_front()
        facts = context.facts.model_copy(update={"default_language": None, "default_pricelist": None})
        bare = MappingContext(context.settings, facts, context.connection, context.now)

        assert body_of(make_product(), bare)["price"] == 990


class TestWhatCannotBeBought:
    @pytest.mark.parametrize(
        "product",
        [
            pytest.param(make_product(active=False), id="the product is inactive or archived"),
            pytest.param(make_product(make_variant(active=False)), id="the variant is"),
        ],
    )
    def test_it_goes_only_where_it_is_known_with_stock_zero(self, product: Product) -> None:
        (draft,) = product_documents(product, FRONT)

        assert getattr(draft, "only_if_known", None) is True
        assert body_of(product).items() >= {"stock": 0, "active": False, "price": 990}.items()

    def test_an_inactive_variant_without_a_price_is_nobodys_problem(self) -> None:
        assert not issues_of(product_documents(make_product(make_variant(active=False, prices=())), FRONT))

    def test_its_stock_moving_changes_nothing(self) -> None:
        few, many = (
            drafts(product_documents(make_product(make_variant(active=False, stock=Decimal(pieces))), FRONT))[0]
            for pieces in (1, 50)
        )

        assert few.hash == many.hash

    def test_nothing_is_wanted_while_sending_is_off(self) -> None:
        assert not list(product_documents(make_product(), make_front(upp_send=False)))


class TestStock:
    @pytest.mark.parametrize(
        ("stock", "sent"),
        [
            pytest.param("12", "12", id="whole"),
            pytest.param("2.500", "2.5", id="a fraction"),
            pytest.param("-3", "0", id="below zero"),
            pytest.param("1E+2", "100", id="an odd spelling"),
        ],
    )
    def test_it_is_a_number_and_never_below_zero(self, stock: str, sent: str) -> None:
        (draft,) = drafts(product_documents(make_product(make_variant(stock=Decimal(stock))), FRONT))

        assert f'"stock":{sent},' in draft.body.decode()


class TestSku:
    @pytest.mark.parametrize(
        ("source", "own_id", "code", "ean", "sku"),
        [
            pytest.param("code", "v-1", "AB", "859", "AB", id="code"),
            pytest.param("ean", "v-1", "AB", "0859", "0859", id="ean keeps its zeros"),
            pytest.param("id", "v-1", "AB", "859", "v-1", id="id"),
            pytest.param("code", "v-1", None, "859", "v-1", id="no code"),
            pytest.param("code", "v-1", " ", "859", "v-1", id="a blank code"),
            pytest.param("ean", "v-1", "AB", None, "v-1", id="no ean"),
            pytest.param("ean", None, "AB", None, "AB", id="typed in by hand, with a code"),
            pytest.param("code", None, None, "859", None, id="typed in by hand, without"),
        ],
    )
    def test_one_rule_for_products_and_lines(
        self, source: str, own_id: str | None, code: str | None, ean: str | None, sku: str | None
    ) -> None:
        assert sku_of(source, own_id=own_id, code=code, ean=ean) == sku

    @pytest.mark.situation("product.case")
    def test_of_two_codes_that_differ_only_in_case_the_older_variant_keeps_it(self) -> None:
        product = make_product(make_variant(20, code="ab-1"), make_variant(3, code="AB-1"))

        wanted = list(product_documents(product, FRONT))

        (unmappable,) = issues_of(wanted)
        assert (unmappable.key, unmappable.issue.key) == ("v-20", "product.sku_twice")
        assert unmappable.issue.params == {"sku": "ab-1", "other": "v-3"}
        assert {one.key: one.only_if_known for one in drafts(wanted)} == {"v-3": False, "v-20": True}

    @pytest.mark.situation("product.case")
    def test_an_older_product_keeps_it_too_and_a_newer_one_takes_nothing_away(self) -> None:
        product = make_product(make_variant(3, code="ab-1"), make_variant(4, code="CD"))
        first = {"ab-1": NameOwner(11, "p-11"), "cd": NameOwner(13, "v-2")}

        wanted = list(product_documents(product, replace(FRONT, name_owners=NameOwners(first))))

        (unmappable,) = issues_of(wanted)
        assert (unmappable.key, unmappable.issue.params) == ("v-3", {"sku": "ab-1", "other": "p-11"})
        assert {one.key: one.only_if_known for one in drafts(wanted)} == {"v-3": True, "v-4": False}

    @pytest.mark.parametrize(
        ("source", "name"),
        [(None, UniqueName.CODE), ("code", UniqueName.CODE), ("ean", UniqueName.EAN), ("id", None)],
    )
    def test_goods_differ_by_what_the_sku_is_made_of(self, source: str | None, name: UniqueName | None) -> None:
        target = UppTarget(None)  # type: ignore[arg-type]

        assert target.unique_name(make_front(upp_sku_from=source).settings) is name

    def test_an_inactive_variant_takes_no_code_away(self) -> None:
        product = make_product(make_variant(3, code="AB-1", active=False), make_variant(20, code="AB-1"))

        wanted = list(product_documents(product, FRONT))

        assert not issues_of(wanted)
        assert {one.key: one.only_if_known for one in drafts(wanted)} == {"v-3": True, "v-20": False}


class TestWords:
    def test_another_language_says_title_and_address(self) -> None:
        body = body_of(make_product(make_variant(prices=TestPrices.PRICES)), make_front(upp_language="sk"))

        assert (body["title"], body["url"]) == ("Košeľa", "https://shop.example.sk/p/kosela")

    def test_where_the_language_has_no_title_the_first_that_has_one_speaks(self) -> None:
        texts = (ProductText(language="cs"), ProductText(language="sk", title="Košeľa"))

        assert body_of(make_product(texts=texts))["title"] == "Košeľa"

    def test_parameter_values_stand_in_the_title_where_the_shop_wants_them(self) -> None:
        body = body_of(make_product(), make_front(upp_variant_titles=True))

        assert body["title"] == "Košile \N{EN DASH} červená, M"

    @pytest.mark.parametrize(
        ("image", "sent"),
        [
            pytest.param("https://a.example/1.jpg", "https://a.example/1.jpg", id="https"),
            pytest.param("//a.example/1.jpg", "https://a.example/1.jpg", id="without a scheme"),
            pytest.param("/1.jpg", None, id="relative"),
            pytest.param(" https://a.example/1.jpg\n", "https://a.example/1.jpg", id="blanks around"),
            pytest.param("HTTPS://a.example/1.jpg", "https://a.example/1.jpg", id="capitals"),
            pytest.param(
                "https://a.example/modrá košile 1.jpg",
                "https://a.example/modr%C3%A1%20ko%C5%A1ile%201.jpg",
                id="diacritics and blanks",
            ),
            pytest.param(
                "https://a.example/%C3%A1 é.jpg", "https://a.example/%C3%A1%20%C3%A9.jpg", id="half encoded"
            ),
            pytest.param(
                "https://a.example/100% len.jpg", "https://a.example/100%25%20len.jpg", id="a percent sign"
            ),
            pytest.param(
                "//žluťas.example/1.jpg", "https://xn--luas-16a1m.example/1.jpg", id="a host with diacritics"
            ),
            pytest.param("https://a.example/1.jpg?v=á&w=1", "https://a.example/1.jpg?v=%C3%A1&w=1", id="a query"),
            pytest.param("https://a.example/[1]|2.jpg", "https://a.example/%5B1%5D%7C2.jpg", id="brackets"),
            pytest.param("https://a b.example/1.jpg", None, id="a host that is none"),
            pytest.param("http://a.example/1.jpg", None, id="not https"),
            pytest.param("https://", None, id="nothing"),
        ],
    )
    def test_an_image_has_an_absolute_address(self, image: str, sent: str | None) -> None:
        assert body_of(make_product(make_variant(image=image))).get("imageUrl") == sent

    @given(path=st.text(st.sampled_from("abcXYZ019-._~!$&'()*+,;=:@/?#")))
    def test_an_address_that_any_program_fetches_stays_as_it_is(self, path: str) -> None:
        address = f"https://a.example/{path}"

        assert body_of(make_product(make_variant(image=address)))["imageUrl"] == address

    @given(path=st.text())
    def test_what_is_sent_of_any_text_is_an_address_in_ascii(self, path: str) -> None:
        sent = body_of(make_product(make_variant(image=f"https://a.example/{path}")))["imageUrl"]

        assert re.fullmatch(r"(?:[!-~])+", sent)
        assert body_of(make_product(make_variant(image=sent)))["imageUrl"] == sent

    @pytest.mark.parametrize("around", [" ", "\t", "\N{NO-BREAK SPACE}", "\N{ZERO WIDTH SPACE}"])
    @pytest.mark.parametrize("source", ["code", "ean"])
    def test_a_code_is_sent_without_the_invisible_around_it(self, source: str, around: str) -> None:
        variant = make_variant(code=f"{around}Ab-1{around}", ean=f"{around}0012{around}")

        body = body_of(make_product(variant), make_front(upp_sku_from=source))

        assert (body["sku"], body["ean"]) == ({"code": "Ab-1", "ean": "0012"}[source], "0012")


class TestTypedPrices:
    @pytest.mark.parametrize(
        ("facts", "vat", "sent"),
        [
            pytest.param({}, Decimal(21), "400.50", id="prices are stored with VAT"),
            pytest.param({"prices_with_vat": False}, Decimal(21), "484.61", id="prices are stored without VAT"),
            pytest.param({"prices_with_vat": False}, Decimal(0), "400.50", id="nothing is added at 0 %"),
            pytest.param({"prices_with_vat": False}, None, None, id="the VAT is not known"),
            pytest.param({"prices_with_vat": False, "vat_payer": False}, Decimal(21), "400.50", id="pays no VAT"),
        ],
    )
    def test_a_cost_and_a_sale_price_have_vat_like_the_price(
        self, facts: dict[str, Any], vat: Decimal | None, sent: str | None
    ) -> None:
        context = replace(FRONT, facts=FRONT.facts.model_copy(update=facts))
        typed = Decimal("400.50")
        product = make_product(make_variant(prices=(make_price(vat=vat, purchase=typed, sale=typed),)))

        body = body_of(product, context)

        for name in ("costOfGoods", "salePrice"):
            amount = body.get(name)
            assert (None if amount is None else Decimal(str(amount))) == (None if sent is None else Decimal(sent))

    @pytest.mark.parametrize(
        ("typed", "with_vat", "cost"),
        [("with", False, "400.50"), ("without", True, "484.61"), ("without", False, "484.61")],
    )
    def test_the_owner_says_how_it_was_typed_in(self, typed: str, with_vat: bool, cost: str) -> None:
        facts = FRONT.facts.model_copy(update={"prices_with_vat": with_vat})
        context = replace(FRONT, facts=facts, settings=make_settings({"upp.purchase_vat": typed}))

        sent = body_of(make_product(make_variant(prices=(make_price(),))), context)["costOfGoods"]

        assert Decimal(str(sent)) == Decimal(cost)

    def test_a_cost_of_0_was_not_filled_in(self) -> None:
        product = make_product(make_variant(prices=(make_price(purchase=Decimal("0.00")),)))

        assert "costOfGoods" not in body_of(product, FRONT)


class TestUnread:
    @pytest.mark.parametrize("part", ["weight", "updated_at", "on_sale", "is_set", "prices.sk"])
    def test_what_upp_does_not_need_changes_nothing(self, part: str) -> None:
        product = make_product(make_variant())
        odd = product.model_copy(update={"unread": (Unread(part=part, place="x"),)})

        assert list(product_documents(odd, FRONT)) == list(product_documents(product, FRONT))

    @pytest.mark.parametrize("part", ["stock", "prices.cs", "prices."])
    def test_what_upp_needs_leaves_what_it_has(self, part: str) -> None:
        odd = make_product(make_variant(stock=None), unread=(Unread(part=part, place="stock"),))

        [held] = product_documents(odd, FRONT)

        assert isinstance(held, Unmappable)
        assert (held.key, held.keeps) == ("v-4711", True)
        assert held.issue == Issue("product.unreadable_field", {"fields": "stock"})

    def test_what_is_off_sale_needs_no_stock(self) -> None:
        odd = make_product(make_variant(), active=False, unread=(Unread(part="stock", place="stock"),))

        assert body_of(odd)["active"] is False

    def test_what_upp_can_do_without_is_left_out_and_reported(self) -> None:
        odd = make_product(make_variant(image=None), unread=(Unread(part="image", place="images[0].position"),))

        assert body_of(odd)["active"] is True
        assert [one.issue.key for one in issues_of(product_documents(odd, FRONT))] == ["product.unreadable_field"]


class TestTakingBack:
    @pytest.mark.situation("product.deleted")
    def test_a_product_goes_as_last_sent_but_empty(self) -> None:
        (draft,) = drafts(product_documents(make_product(), FRONT))

        taken_back = tombstone("product", draft.body)

        assert taken_back is not None
        assert json.loads(taken_back) == {**json.loads(draft.body), "stock": 0, "active": False}

    def test_what_was_taken_back_is_not_taken_back_again(self) -> None:
        (draft,) = drafts(product_documents(make_product(active=False), FRONT))

        assert tombstone("product", draft.body) is None

    @pytest.mark.situation("upp.canceled")
    def test_an_order_stays(self) -> None:

        (draft,) = drafts(order_documents(make_order(), FRONT))

        assert tombstone("order", draft.body) is None


_AMOUNTS = st.decimals(min_value=0, max_value=10**7, places=2)
_VARIANTS = st.builds(
    lambda number, code, stock, amount, active: make_variant(
        number,
        code=code,
        stock=stock,
        active=active,
        prices=() if amount is None else (make_price(with_vat=amount, sale=amount),),
    ),
    number=st.integers(1, 50),
    code=st.none() | st.sampled_from(["a", "A", "b", "ß", "SS", " "]) | st.text(max_size=5),
    stock=st.none() | st.decimals(min_value=-100, max_value=10**6, places=3),
    amount=st.none() | _AMOUNTS,
    active=st.booleans(),
)


@given(st.lists(_VARIANTS, min_size=1, max_size=8, unique_by=lambda one: one.id))
def test_any_product_maps_the_same_twice_and_offers_each_sku_once(variants: Any) -> None:
    product = make_product(*variants)

    once, shuffled = (
        list(product_documents(one, FRONT)) for one in (product, make_product(*reversed(product.variants)))
    )

    assert once == shuffled
    assert {one.key for one in drafts(once)} == {one.id for one in variants}
    offered = [json.loads(one.body) for one in drafts(once) if not one.only_if_known]
    assert len({one["sku"].casefold() for one in offered}) == len(offered)
    for draft in drafts(once):
        taken_back = tombstone("product", draft.body)
        if taken_back is not None:
            assert tombstone("product", taken_back) is None
        assert make_document(draft).hash == draft.hash


@given(_AMOUNTS)
def test_an_amount_is_exact_to_the_hellers_digit(amount: Decimal) -> None:
    (draft,) = drafts(product_documents(make_product(make_variant(prices=(make_price(with_vat=amount),))), FRONT))

    assert json.loads(draft.body, parse_float=Decimal, parse_int=Decimal)["price"] == amount

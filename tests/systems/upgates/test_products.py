from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.upgates import captured, raw_prices, raw_product, raw_variant
from upbridge.domain.product import Price, Variant
from upbridge.domain.unread import Unread
from upbridge.systems.upgates.errors import Unreadable
from upbridge.systems.upgates.fields import parse_list
from upbridge.systems.upgates.parameters import parse_parameters
from upbridge.systems.upgates.products import parse_product

WITHOUT_FINAL: dict[str, Any] = {"price_with_vat": None, "price_without_vat": None}
RED: dict[str, Any] = {
    "id": 1,
    "descriptions": [{"language": "cs", "name": "Barva"}, {"language": "en", "name": "Colour"}],
    "values": [
        {
            "id": 2,
            "descriptions": [{"language": "cs", "value": "červená"}, {"language": "en", "value": "red"}],
        },
        {"id": 3, "descriptions": [{"language": "cs", "value": "bílá"}]},
    ],
}
OLD: dict[str, Any] = {"name": {"cs": "Barva"}, "values": [{"cs": "červená", "en": "red"}]}


def only(raw: dict[str, Any]) -> Variant:
    """The one variant of a product."""
    (variant,) = parse_product(raw).variants
    return variant


def only_price(raw: dict[str, Any], **options: Any) -> Price:
    """The one price of the one variant of a product."""
    ((price,),) = [variant.prices for variant in parse_product(raw, **options).variants]
    return price


class TestProduct:
    def test_its_own_words_and_numbers(self) -> None:
        product = parse_product(raw_product(set_yn=1, weight="900.4"))

        assert (product.product_id, product.code, product.key) == (41, "GAR-41", "41")
        assert product.is_set
        assert product.weight == 900
        assert product.category == "Kabáty"
        assert product.updated_at is not None

    def test_without_variants_it_is_sold_itself(self) -> None:
        variant = only(raw_product())

        assert (variant.id, variant.variant_id, variant.code, variant.ean) == (
            "p-41",
            None,
            "GAR-41",
            "8594000000415",
        )
        assert (variant.stock, variant.stock_own) == (Decimal(4), True)

    def test_all_that_can_be_null_may_be_null(self) -> None:
        product = parse_product(dict.fromkeys(raw_product()) | {"product_id": "41"})

        assert product.product_id == 41
        assert product.active
        assert only(raw_product(stock=None)).stock is None

    def test_an_id_is_required(self) -> None:
        with pytest.raises(Unreadable, match="product_id is missing"):
            parse_product(raw_product(product_id=None))

    def test_a_complaint_names_the_field_and_never_the_value(self) -> None:
        with pytest.raises(Unreadable) as complaint:
            parse_product(raw_product(variants=[raw_variant(variant_id="plenty")]))

        assert complaint.value.key == "41"
        assert complaint.value.reason == "variants[0].variant_id is not a whole number"

    @pytest.mark.parametrize(
        ("overrides", "part", "place"),
        [
            ({"weight": "heavy"}, "weight", "weight"),
            ({"last_update_time": "yesterday"}, "updated_at", "last_update_time"),
            ({"action_currently_yn": "maybe"}, "on_sale", "action_currently_yn"),
            ({"action_currently_yn": "maybe", "limit_orders": "sale"}, "backorder", "action_currently_yn"),
            ({"set_yn": "maybe"}, "is_set", "set_yn"),
            ({"stock": "plenty"}, "stock", "stock"),
            ({"images": [{"url": "u", "position": "first"}]}, "image", "images[0].position"),
            ({"images": ["u"]}, "image", "images[0]"),
            ({"prices": [raw_prices(price_purchase="?")]}, "purchase", "prices[0].price_purchase"),
            ({"prices": [raw_prices(vat="?")]}, "prices.cs", "prices[0].vat"),
            ({"prices": [raw_prices(language=None)]}, "prices.", "prices[0].language"),
            ({"prices": "?"}, "prices.", "prices"),
            ({"descriptions": [{"title": "Kabát"}]}, "texts", "descriptions[0].language"),
        ],
    )
    def test_what_some_target_can_do_without_is_noted(self, overrides: Any, part: str, place: str) -> None:
        product = parse_product(raw_product(**overrides))

        assert product.unread == (Unread(part=part, place=place),)
        assert product.variants[0].code == "GAR-41"

    def test_variants_that_are_said_to_exist_must_come(self) -> None:
        with pytest.raises(Unreadable, match="variants_exists_yn"):
            parse_product(raw_product(variants_exists_yn=True, variants=[]))

    @pytest.mark.parametrize(
        ("limit", "on_sale", "backorder"),
        [("0", False, True), (0, False, True), ("1", False, False), ("sale", True, False), ("sale", False, True)],
    )
    def test_backorder_is_where_orders_are_not_limited(self, limit: Any, on_sale: bool, backorder: bool) -> None:
        product = parse_product(raw_product(limit_orders=limit, action_currently_yn=int(on_sale)))

        assert product.backorder is backorder

    @pytest.mark.parametrize(
        ("inherited", "on_sale", "backorder"),
        [
            ("0", False, True),
            ("1", False, False),
            ("sale", True, False),
            ("sale", False, True),
            (None, True, None),
        ],
    )
    def test_the_shop_decides_where_the_product_says_nothing(
        self, inherited: str | None, on_sale: bool, backorder: bool | None
    ) -> None:
        raw = raw_product(limit_orders=None, action_currently_yn=on_sale)

        assert parse_product(raw, limit_orders=inherited).backorder is backorder

    @pytest.mark.parametrize("inherited", ["0", "1", "sale", None])
    def test_the_products_own_word_wins(self, inherited: str | None) -> None:
        assert parse_product(raw_product(limit_orders="0"), limit_orders=inherited).backorder is True

    def test_the_long_description_wins(self) -> None:
        texts = [{"language": "cs", "title": "K", "short_description": "s", "long_description": "<p>l</p>"}]

        assert parse_product(raw_product(descriptions=texts)).texts[0].description == "<p>l</p>"


class TestInheritance:
    def test_a_code_and_an_ean_are_never_inherited(self) -> None:
        variant = only(raw_product(variants=[raw_variant(code=None, ean=None)]))

        assert (variant.id, variant.code, variant.ean) == ("v-5001", None, None)

    def test_stock_is_inherited_and_says_so(self) -> None:
        variant = only(raw_product(stock=4, variants=[raw_variant(stock=None)]))

        assert (variant.stock, variant.stock_own) == (Decimal(4), False)

    def test_stock_of_its_own_wins_even_if_it_is_zero(self) -> None:
        variant = only(raw_product(stock=4, variants=[raw_variant(stock=0)]))

        assert (variant.stock, variant.stock_own) == (Decimal(0), True)

    def test_stock_that_is_not_tracked_is_none(self) -> None:
        variant = only(raw_product(stock=None, variants=[raw_variant(stock=None)]))

        assert (variant.stock, variant.stock_own) == (None, False)

    @pytest.mark.parametrize(
        ("product", "variant", "active"),
        [
            ({}, {}, True),
            ({"active_yn": 0}, {"active_yn": True}, False),
            ({"archived_yn": "1"}, {}, False),
            ({}, {"active_yn": False}, False),
            ({"can_add_to_basket_yn": False}, {}, False),
            ({"can_add_to_basket_yn": False}, {"can_add_to_basket_yn": True}, True),
            ({}, {"can_add_to_basket_yn": 0}, False),
        ],
    )
    def test_active_takes_all_three_flags(self, product: Any, variant: Any, active: bool) -> None:
        assert only(raw_product(**product, variants=[raw_variant(**variant)])).active is active

    def test_the_image_is_its_own_else_the_main_one_else_the_first(self) -> None:
        images = [{"url": "https://a", "position": 2}, {"url": "https://b", "position": 1}]
        main = [*images, {"url": "https://c", "position": 9, "main_yn": "1"}]

        assert only(raw_product(images=images)).image == "https://b"
        assert only(raw_product(images=main, variants=[raw_variant()])).image == "https://c"
        assert only(raw_product(images=main, variants=[raw_variant(image="https://own")])).image == "https://own"
        assert only(raw_product(variants=[raw_variant(image={"url": "https://own"})])).image == "https://own"

    def test_prices_are_inherited_per_language_and_list(self) -> None:
        empty = dict.fromkeys(("price_original", "price_sale", "price_with_vat", "price_without_vat"))
        product = raw_product(
            prices=[raw_prices(), raw_prices(language="sk", currency="EUR", pricelist={"price_with_vat": 5})],
            variants=[
                raw_variant(
                    prices=[
                        raw_prices(
                            pricelist={"price_with_vat": 150, "price_without_vat": 123.97}, price_purchase=None
                        ),
                        raw_prices(language="sk", currency=None, pricelist=empty),
                    ]
                )
            ],
        )

        czech, slovak = only(product).prices

        assert (czech.language, czech.with_vat, czech.purchase) == ("cs", Decimal(150), Decimal(40))
        assert (slovak.language, slovak.with_vat, slovak.currency) == ("sk", Decimal(5), "EUR")

    def test_a_variant_may_have_prices_where_the_product_has_none(self) -> None:
        variant = only(raw_product(prices=None, variants=[raw_variant(prices=[raw_prices()])]))

        assert [price.with_vat for price in variant.prices] == [Decimal(121)]

    @given(own=st.booleans(), price=st.integers(0, 10**6), inherited=st.integers(0, 10**6))
    def test_the_price_is_the_variants_own_or_the_products(self, own: bool, price: int, inherited: int) -> None:
        variant = raw_variant(prices=[raw_prices(pricelist={"price_with_vat": price})] if own else [])
        product = raw_product(prices=[raw_prices(pricelist={"price_with_vat": inherited})], variants=[variant])

        assert only_price(product).with_vat == (price if own else inherited)


class TestPrices:
    def test_final_prices_are_taken_as_they_are(self) -> None:
        price = only_price(raw_product())

        assert (price.with_vat, price.without_vat, price.vat) == (Decimal(121), Decimal(100), Decimal(21))

    def test_absent_final_prices_are_computed(self) -> None:
        listed = {**WITHOUT_FINAL, "price_original": 100, "product_discount": 10, "product_discount_real": 20}

        assert only_price(raw_product(prices=[raw_prices(pricelist=listed)])).with_vat == Decimal("80.00")
        assert only_price(raw_product(prices=[raw_prices(pricelist=listed)])).without_vat == Decimal("66.12")

    def test_a_sale_price_has_no_further_discount(self) -> None:
        listed = {**WITHOUT_FINAL, "price_original": 100, "price_sale": 60, "product_discount_real": 20}
        price = only_price(raw_product(prices=[raw_prices(pricelist=listed)]))

        assert (price.with_vat, price.sale) == (Decimal("60.00"), Decimal(60))

    def test_a_discount_of_more_than_the_price_leaves_none(self) -> None:
        listed = {**WITHOUT_FINAL, "price_original": 100, "product_discount_real": 120}
        raw = raw_product(prices=[{**raw_prices(pricelist=listed), "price_purchase": None}])

        assert parse_product(raw).variants[0].prices == ()

    def test_prices_may_be_stored_without_vat(self) -> None:
        raw = raw_product(prices=[raw_prices(pricelist={**WITHOUT_FINAL, "price_original": 100})])

        assert only_price(raw, prices_with_vat=False).with_vat == Decimal("121.00")

    def test_the_other_one_is_computed_from_the_one_that_is_there(self) -> None:
        raw = raw_product(prices=[raw_prices(pricelist={"price_with_vat": None, "price_without_vat": 73.55})])

        assert only_price(raw).with_vat == Decimal("89.00")

    def test_a_currency_may_be_left_to_the_language(self) -> None:
        assert only_price(raw_product(prices=[raw_prices(currency=None)])).currency is None

    def test_a_list_without_a_name_is_the_default_one(self) -> None:
        assert only_price(raw_product(prices=[raw_prices(pricelist={"name": ""})])).pricelist == ""

    def test_no_price_is_no_price(self) -> None:
        empty = raw_prices(price_purchase=None, pricelists=[{"name": "VIP"}])

        assert only(raw_product(prices=[empty])).prices == ()

    def test_zero_is_a_price(self) -> None:
        assert only_price(raw_product(prices=[raw_prices(pricelist={"price_with_vat": 0})])).with_vat == 0


class TestParameters:
    def test_they_speak_the_chosen_language_where_they_can(self) -> None:
        raw = {"product_id": 41, "variants": [{"variant_id": 5001, "parameters_new": [RED]}]}

        assert parse_parameters(raw, language="en") == {5001: (("Colour", "red, bílá"),)}
        assert parse_parameters(raw, language=None) == {5001: (("Barva", "červená, bílá"),)}

    def test_the_older_spelling_will_do(self) -> None:
        raw = {"product_id": 41, "variants": [{"variant_id": 5001, "parameters": [OLD, {"name": []}]}]}

        assert parse_parameters(raw, language="cs") == {5001: (("Barva", "červená"),)}

    def test_they_are_put_at_their_variants(self) -> None:
        product = parse_product(raw_product(variants=[raw_variant(), raw_variant(variant_id=5002)]))

        first, second = product.with_parameters({5001: (("Barva", "červená"),)}).variants

        assert first.parameters == (("Barva", "červená"),)
        assert second.parameters == ()

    def test_a_variant_without_an_id_is_a_complaint(self) -> None:
        with pytest.raises(Unreadable, match=r"variants\[0\].variant_id is missing"):
            parse_parameters({"product_id": 41, "variants": [{}]}, language="cs")


def test_every_recorded_product_can_be_read() -> None:
    good, bad = parse_list(captured("products-2024-02.json")["products"], parse_product)

    assert bad == []
    assert [product.product_id for product in good] == [34, 35, 36, 37, 39, 41]
    first = good[0].variants[0].prices[0]
    assert (first.currency, first.with_vat, first.without_vat) == ("CZK", Decimal(89), Decimal("73.55"))
    assert good[4].variants[0].stock is None


@pytest.mark.parametrize(
    ("stocks", "names"),
    [
        (None, ()),
        ([{"stock_id": 2, "quantity": 1}, {"stock_id": None, "code": "B"}], ("2", "B")),
        ({"1": {"stock_id": "7"}}, ("7",)),
        ("many", ()),
        ([None, 3, {"stock_id": {}}], ()),
    ],
)
def test_the_warehouses_that_goods_lie_in(stocks: Any, names: tuple[str, ...]) -> None:
    product = parse_product(raw_product(stocks=stocks))

    assert product.stocks == names
    assert product.unread == ()

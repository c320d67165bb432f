"""A shop's name at targets: made once, kept for ever, so it has to be a plain one."""

import pytest

from upbridge.domain.shop_key import free_key, shop_key


@pytest.mark.parametrize(
    ("api_url", "key"),
    [
        ("https://shop.admin.s24.upgates.com/api/v2", "shop"),
        ("https://Muj_Obchod-1.admin.s1.upgates.com/api/v2", "muj-obchod-1"),
        ("http://127.0.0.1:9000/api/v2", "127"),
        (f"https://{'a' * 63}.upgates.com/api/v2", "a" * 40),
        ("https:///api/v2", "shop"),
    ],
)
def test_a_shop_is_named_after_the_first_label(api_url: str, key: str) -> None:
    assert shop_key(api_url) == key


def test_a_name_that_is_taken_gets_the_next_number() -> None:
    assert free_key("shop", set()) == "shop"
    assert free_key("shop", {"shop"}) == "shop-2"
    assert free_key("shop", {"shop", "shop-2", "shop-4"}) == "shop-3"

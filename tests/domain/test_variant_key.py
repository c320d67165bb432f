"""The key of a variant: one form, read and written in one place."""

from hypothesis import given
from hypothesis import strategies as st

from upbridge.domain.variant_key import is_product, key_of, product_key, variant_key, variant_number

NUMBERS = st.integers(min_value=1, max_value=2**40)


@given(product=NUMBERS, variant=NUMBERS)
def test_a_variant_and_a_product_of_one_number_are_two_things(product: int, variant: int) -> None:
    assert key_of(product, variant) == variant_key(variant) != product_key(variant)
    assert key_of(product, None) == product_key(product)


@given(number=NUMBERS)
def test_a_key_says_what_it_is_of(number: int) -> None:
    assert (is_product(variant_key(number)), is_product(product_key(number))) == (False, True)
    assert (variant_number(variant_key(number)), variant_number(product_key(number))) == (number, 0)

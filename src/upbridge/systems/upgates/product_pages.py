"""A page of GET /products: taken apart without looking into its products, then each is read by itself."""

from collections.abc import Callable

import msgspec

from upbridge.core.bounded_json import measure
from upbridge.core.errors import Refused, Unreachable
from upbridge.domain.product import Product
from upbridge.systems.http.transport import HttpAnswer
from upbridge.systems.platform import Page
from upbridge.systems.upgates.fields import Raw
from upbridge.systems.upgates.pagination import page_of
from upbridge.systems.upgates.transport import object_of


class _Listed(msgspec.Struct):
    products: list[msgspec.Raw]
    number_of_pages: int | str | None = None
    number_of_items: int | str | None = None


_PAGE = msgspec.json.Decoder(_Listed)


def read_products(
    answer: HttpAnswer, page: int, *, read: Callable[[msgspec.Raw], Product], parse: Callable[[Raw], Product]
) -> Page[Product]:
    """The products of *answer*, which is the page *page*: each by *read*, or, where the page is not written as
    published, by *parse*. Raises `Unreachable` if it is no page of products."""
    body = answer.whole_body()
    try:
        measure(body, answer.bounds)
        listed = _PAGE.decode(body)
    except (Refused, msgspec.DecodeError, RecursionError):
        return page_of(object_of(answer), "products", parse, page)
    said = {
        "products": [raw for raw in listed.products if bytes(raw) != b"null"],
        "number_of_pages": listed.number_of_pages,
        "number_of_items": listed.number_of_items,
    }
    try:
        return page_of(said, "products", read, page)  # type: ignore[arg-type]
    except ValueError as error:  # a product that is no JSON: then nor is the page
        raise Unreachable(f"{answer.operation}: the answer is not JSON") from error

"""Lists as Upgates gives them: filters that go in, pages that come out (Upgates API v2, "Stránkování")."""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from upbridge.core.errors import Unreachable
from upbridge.systems.accesses import Access
from upbridge.systems.platform import PAGE_SIZE, OrderFilter, Page, ProductFilter
from upbridge.systems.upgates.fields import Raw, parse_list, whole
from upbridge.systems.upgates.transport import Json, Param

#: Ids in one address are this long at most, together: servers refuse long addresses.
_LONGEST_LIST = 4000

T = TypeVar("T")


def product_params(filters: ProductFilter) -> dict[str, Param]:
    """*filters* as the API wants them."""
    return {
        "last_update_time_from": filters.updated_from,
        "active_yn": filters.active,
        "archived_yn": filters.archived,
    }


def order_params(filters: OrderFilter) -> dict[str, Param]:
    """*filters* as the API wants them (docs/vendors/upgates.md#what-is-not-listed)."""
    changes = filters.updated_from is not None and filters.created_from is None
    return {
        "creation_time_from": filters.created_from,
        "creation_time_to": filters.created_to,
        "last_update_time_from": filters.updated_from,
        "order_by": "last_update_time" if changes else "creation_time",
        "order_dir": "asc",
        "deleted_yn": filters.deleted or None,
    }


def page_of(raw: Json, name: str, parse: Callable[[Raw], T], page: int) -> Page[T]:
    """The page in an answer. Without `number_of_pages` there is one more as long as something comes."""
    if not isinstance(raw.get(name), list | dict):
        raise Unreachable(f"the answer has no {name}")
    good, bad = parse_list(raw[name], parse)
    try:
        pages, total = whole(raw.get("number_of_pages")), whole(raw.get("number_of_items"))
    except ValueError as error:
        raise Unreachable("the answer's page numbers make no sense") from error
    found = len(good) + len(bad)
    if pages is None:
        pages = page + 1 if found else page
    return Page(good, bad, page, pages, found if total is None else total)


async def complete(
    one_page: Callable[[Sequence[str], int], Awaitable[Page[T]]], ids: Sequence[str], access: Access
) -> Page[T]:
    """All entities with these *ids*, for every page size that the server may have.

    The caller counts a missing id as deleted. So if the list changes while its pages are read, this raises
    `Unreachable`.
    """
    read: list[Page[T]] = []
    for chunk in _chunks(dict.fromkeys(ids)):
        pages = [await one_page(chunk, 1)]
        while len(pages) < min(pages[0].pages, len(chunk)):
            pages.append(await one_page(chunk, len(pages) + 1))
        came = _different(pages)
        if came < pages[0].total or any(page.total != pages[0].total for page in pages):
            raise Unreachable(f"{access.name}: {came} came of {pages[0].total}, or the list changed meanwhile")
        read += pages
    items = [item for page in read for item in page.items]
    broken = [bad for page in read for bad in page.broken]
    return Page(items, broken, 1, 1, len(items) + len(broken))


def _different(pages: Sequence[Page[T]]) -> int:
    """How many entities came. One that stands on two pages has moved meanwhile, and another one in its place was
    not shown."""
    keys = [getattr(item, "key", id(item)) for page in pages for item in page.items]
    return len(set(keys) if len(pages) > 1 else keys) + sum(len(page.broken) for page in pages)


def _chunks(ids: Iterable[str]) -> Iterator[list[str]]:
    """*ids* in lists that fit one page and one address."""
    chunk: list[str] = []
    length = 0
    for one in ids:
        if chunk and (len(chunk) == PAGE_SIZE or length + len(one) + 1 > _LONGEST_LIST):
            yield chunk
            chunk, length = [], 0
        chunk.append(one)
        length += len(one) + 1
    if chunk:
        yield chunk

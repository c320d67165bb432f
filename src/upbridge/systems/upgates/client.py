"""A shop's API as functions: what the rest of the service may ask of Upgates and tell it.

Lists are read page by page and as many entities per call as the server allows (R53). What cannot be read of one
entity is put aside in `Page.broken` and stops nothing else.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any, TypeVar

import httpx
import structlog

from upbridge.core.clock import Clock
from upbridge.core.errors import Missing, Rejected, RightRefused, Unreachable
from upbridge.domain.order import Order
from upbridge.domain.product import Product
from upbridge.domain.purpose import Purpose
from upbridge.domain.shop_profile import ShopProfile
from upbridge.systems.accesses import Access
from upbridge.systems.http.transport import HttpAnswer
from upbridge.systems.platform import PAGE_SIZE, FactList, FactsRead, OrderFilter, Page, ProductFilter, Subscribed
from upbridge.systems.upgates import accesses
from upbridge.systems.upgates.errors import Unreadable
from upbridge.systems.upgates.fields import Many, Model, Raw, Wire, read
from upbridge.systems.upgates.orders import parse_order
from upbridge.systems.upgates.pagination import complete, order_params, page_of, product_params
from upbridge.systems.upgates.parameters import Parameters, parse_parameters
from upbridge.systems.upgates.payloads import (
    BATCH,
    ItemResult,
    OrderChange,
    StockItem,
    history_body,
    history_names,
    history_result,
    orders_body,
    orders_results,
    stock_body,
    stock_results,
)
from upbridge.systems.upgates.product_pages import read_products
from upbridge.systems.upgates.products import parse_product, read_product
from upbridge.systems.upgates.shop_profile import (
    FACTS,
    parse_choice,
    parse_languages,
    parse_order_statuses,
    parse_pricelists,
    parse_status,
)
from upbridge.systems.upgates.subscriptions import Webhook, WebhookEvent, reconcile_webhooks
from upbridge.systems.upgates.transport import Account, CallBudget, Calls, Json, Param, object_of
from upbridge.systems.upgates.url_policy import HostPolicy

log = structlog.get_logger(__name__)

T = TypeVar("T")
W = TypeVar("W")


_LISTS: Mapping[FactList, tuple[Access, Callable[[Raw], Json]]] = {
    FactList.STATUSES: (accesses.GET_ORDER_STATUSES, parse_order_statuses),
    FactList.PRICELISTS: (accesses.GET_PRICELISTS, parse_pricelists),
    FactList.LANGUAGES: (accesses.GET_LANGUAGES, parse_languages),
}


#: Lists that we can do without, as the facts, the API and GET /status name them.
_WATCHED: Mapping[str, tuple[str, Access]] = {
    "carriers": ("shipments", accesses.GET_SHIPMENTS),
    "payments": ("payments", accesses.GET_PAYMENTS),
}
#: More pages of such a list are not read.
_MOST_PAGES = 10
#: Nor are more parameters named.
_MOST_PARAMETERS = 50
#: So many lists without an answer, and the API as a whole gives none.
_SILENT = 2
#: The privileges that let us read.
_READABLE = ("readonly", "all")


class _Webhooks(Wire):
    webhooks: Many[Webhook] = ()


class _Events(Wire):
    events: Many[WebhookEvent] = ()


class _Created(Wire):
    webhook: Webhook | None = None


class UpgatesClient:
    """The API of one shop. Every method raises what `Calls` raises.

    *prices_with_vat* and *limit_orders* (GET /config) are needed where a product leaves them to the shop, see
    `parse_product`; *rights* (GET /status) say to which webhooks we may subscribe.
    """

    def __init__(
        self,
        *,
        http: httpx.AsyncClient,
        ledger: CallBudget,
        account: Account,
        clock: Clock,
        policy: HostPolicy,
        on_moved: Callable[[str], Awaitable[None]],
        prices_with_vat: bool = True,
        limit_orders: str | None = None,
        rights: Mapping[str, str] | None = None,
    ) -> None:
        self._calls = Calls(
            http=http, ledger=ledger, account=account, clock=clock, policy=policy, on_moved=on_moved
        )
        self._shop_id = account.shop_id
        self._watches = {name for name, _ in _WATCHED.values() if (rights or {}).get(name) in _READABLE}
        self._read_products = partial(
            read_products,
            parse=partial(parse_product, prices_with_vat=prices_with_vat, limit_orders=limit_orders),
            read=partial(read_product, prices_with_vat=prices_with_vat, limit_orders=limit_orders),
        )

    # --- the shop ---------------------------------------------------------------------------------------------

    async def status(self, *, purpose: Purpose = Purpose.LIFECYCLE) -> Mapping[str, str]:
        """What our API user may do: endpoint to `deny`, `readonly` or `all`. Needs no right itself."""
        rights: Mapping[str, str] = _sound(
            parse_status, await self._calls.call(accesses.GET_STATUS, purpose=purpose)
        )["rights"]
        return rights

    async def facts(
        self, purpose: Purpose = Purpose.LIFECYCLE, *, known: ShopProfile | None = None, owner: bool = True
    ) -> FactsRead:
        """What rarely changes about the shop; six calls at most (R52), one more for each page of the ways to
        deliver and to pay.

        The rights come first, and what they deny is not asked for: those facts keep their defaults. Without
        *owner*, who that is stays as *known*, the facts from before: no webhook announces a change of it. Ways to
        deliver and to pay are read where the rights grant them. What cannot be read stays as *known*, too.

        Raises what `Calls` raises where the API as a whole gives no answer: the first two lists do not.
        """
        facts, failures, answered = ShopProfile(), dict[str, str](), 0
        for name, (access, parse, fields) in FACTS.items():
            denied = access.service is not None and facts.rights.get(access.service) == "deny"
            if not denied and (name != "owner" or owner or known is None):
                try:
                    said = _sound(partial(parse, facts), await self._calls.call(access, purpose=purpose))
                except (Unreachable, Rejected) as error:
                    failures[name] = str(error)
                    if not answered and len(failures) == _SILENT:
                        raise
                else:
                    facts, answered = facts.model_copy(update=said), answered + 1
                    continue
            if known is not None and not denied:
                facts = facts.model_copy(update={field: getattr(known, field) for field in fields})
        for fact, (name, access) in _WATCHED.items():
            if facts.rights.get(name) in _READABLE:
                listed = await self._watched(name, access, purpose)
                facts = facts.model_copy(update={fact: getattr(known, fact, None) if listed is None else listed})
        unread = tuple(name for name in failures if known is None or name in known.unread)
        return FactsRead(facts.model_copy(update={"unread": unread}), failures)

    async def _watched(
        self, name: str, access: Access, purpose: Purpose
    ) -> Mapping[int, Mapping[str, str]] | None:
        """Ids and names of the list *name*; None if it cannot be read now: nothing waits for it."""
        found: dict[int, Mapping[str, str]] = {}
        number = pages = 1
        try:
            while number <= min(pages, _MOST_PAGES):
                answer = await self._calls.call(access, purpose=purpose, params={"page": number})
                page = page_of(answer, name, parse_choice, number)
                found |= dict(row for row in page.items if row is not None)
                number, pages = number + 1, page.pages
        except (Rejected, Unreachable, RightRefused) as error:
            log.warning("list_not_read", shop_id=str(self._shop_id), lists=[name], error=str(error))
            return None
        return found

    async def relisted(
        self, known: ShopProfile, names: Iterable[FactList], *, purpose: Purpose = Purpose.LIFECYCLE
    ) -> ShopProfile:
        """The facts *known*, with these lists as they are now; one call each. What may not be read stays."""
        for name in names:
            access, parse = _LISTS[name]
            if access.service is None or known.rights.get(access.service) != "deny":
                listed = _sound(parse, await self._calls.call(access, purpose=purpose))
                known = known.model_copy(update=listed)
        return known

    # --- products ---------------------------------------------------------------------------------------------

    async def products_page(
        self, page: int, *, filters: ProductFilter | None = None, size: int = PAGE_SIZE, purpose: Purpose
    ) -> Page[Product]:
        """One page of products, *size* of them (100 at most) where the server lets the caller choose."""
        params = {**product_params(filters or ProductFilter()), "current_page_items": size}
        return await self._product_list(accesses.GET_PRODUCTS, self._read_products, params, page, purpose)

    async def products_by_ids(self, ids: Iterable[int], *, purpose: Purpose) -> Page[Product]:
        """The products with these *ids*, complete; those that are missing do not exist any more."""
        return await self._by_ids(accesses.GET_PRODUCTS, self._read_products, ids, purpose)

    async def product_parameters(
        self, ids: Iterable[int], *, language: str | None = None, purpose: Purpose
    ) -> Page[Parameters]:
        """The parameters of the variants of the products with these *ids*, one mapping per product."""
        return await self._by_ids(accesses.GET_PRODUCT_PARAMETERS, _parameters(language), ids, purpose)

    async def parameter_names(self, *, language: str | None = None, purpose: Purpose) -> tuple[str, ...] | None:
        """Names of the parameters that tell variants apart, those that most have first, as the first page of
        products has them; None if it cannot be read now: nothing waits for it."""
        try:
            page = await self._product_list(accesses.GET_PRODUCT_PARAMETERS, _parameters(language), {}, 1, purpose)
        except (Rejected, Unreachable, RightRefused) as error:
            log.warning("list_not_read", shop_id=str(self._shop_id), lists=["parameters"], error=str(error))
            return None
        worn = (name for one in page.items for pairs in one.values() for name, _ in pairs)
        return tuple(name for name, _ in Counter(worn).most_common(_MOST_PARAMETERS))

    async def _by_ids(
        self, access: Access, read: Callable[[HttpAnswer, int], Page[T]], ids: Iterable[int], purpose: Purpose
    ) -> Page[T]:
        async def one_page(chunk: Sequence[str], page: int) -> Page[T]:
            return await self._product_list(access, read, {"product_ids": chunk}, page, purpose)

        return await complete(one_page, [str(number) for number in ids], access)

    async def _product_list(
        self,
        access: Access,
        read: Callable[[HttpAnswer, int], Page[T]],
        params: Mapping[str, Param],
        page: int,
        purpose: Purpose,
    ) -> Page[T]:
        asked = {"current_page_items": PAGE_SIZE, **params, "page": page}
        return read(await self._calls.answer(access, purpose=purpose, params=asked), page)

    # --- orders -----------------------------------------------------------------------------------------------

    async def orders_page(self, page: int, *, filters: OrderFilter | None = None, purpose: Purpose) -> Page[Order]:
        """One page of up to 100 orders, oldest first."""
        params = {**order_params(filters or OrderFilter()), "page": page}
        answer = await self._calls.call(accesses.GET_ORDERS, purpose=purpose, params=params)
        return page_of(answer, "orders", parse_order, page)

    async def orders_by_numbers(self, numbers: Iterable[str], *, purpose: Purpose) -> Page[Order]:
        """The orders with these *numbers*, complete; those that are missing do not exist any more.

        A number that holds a semicolon, which separates numbers in a list, is asked for alone.
        """

        async def one_page(chunk: Sequence[str], page: int) -> Page[Order]:
            params: dict[str, Param] = {"order_numbers": chunk, "page": page}
            answer = await self._calls.call(accesses.GET_ORDERS, purpose=purpose, params=params)
            return page_of(answer, "orders", parse_order, page)

        wanted = list(dict.fromkeys(numbers))
        listed = await complete(one_page, [number for number in wanted if ";" not in number], accesses.GET_ORDERS)
        for number in (number for number in wanted if ";" in number):
            try:
                answer = await self._calls.call(accesses.GET_ORDER, purpose=purpose, path={"order_number": number})
            except Missing:
                continue
            alone = page_of(answer, "orders", parse_order, 1)
            listed = Page(
                [*listed.items, *alone.items], [*listed.broken, *alone.broken], 1, 1, listed.total + alone.total
            )
        return listed

    # --- writing ----------------------------------------------------------------------------------------------

    async def put_stock(
        self,
        *,
        variants: Sequence[tuple[str, Decimal]] = (),
        products: Sequence[tuple[str, Decimal]] = (),
        purpose: Purpose = Purpose.STOCK,
    ) -> list[ItemResult]:
        """Write absolute stock by code, 100 items at most together; one result per item, variants first.

        Raises `ValueError` for more than 100, and `TooMany` if Upgates takes fewer.
        """
        asked = [StockItem("variant", code, quantity) for code, quantity in variants]
        asked += [StockItem("product", code, quantity) for code, quantity in products]
        if not _some(asked):
            return []
        answer = await self._calls.call(accesses.PUT_PRODUCTS, purpose=purpose, body=stock_body(asked))
        return _sound(partial(stock_results, asked), answer)

    async def put_orders(
        self, changes: Sequence[OrderChange], *, notify: bool, purpose: Purpose = Purpose.ORDERS
    ) -> list[ItemResult]:
        """Change up to 100 orders; *notify* lets Upgates tell the shoppers by e-mail and SMS. One result each.

        Raises `ValueError` for more than 100, and `TooMany` if Upgates takes fewer.
        """
        if not _some(changes):
            return []
        body = orders_body(changes, notify=notify)
        answer = await self._calls.call(accesses.PUT_ORDERS, purpose=purpose, body=body)
        return _sound(partial(orders_results, changes), answer)

    async def add_history(
        self, order_number: str, entries: Sequence[tuple[str, str]], *, purpose: Purpose = Purpose.ORDERS
    ) -> ItemResult:
        """Note *entries* (name, value) in an order's history. Not idempotent: a repeat adds them again."""
        answer = await self._calls.call(
            accesses.POST_ORDER_HISTORY,
            purpose=purpose,
            path={"order_number": order_number},
            body=history_body(entries),
        )
        return _sound(partial(history_result, order_number), answer)

    async def history_names(self, order_number: str, *, purpose: Purpose = Purpose.ORDERS) -> set[str]:
        """The names of all entries in an order's history, as `add_history` gave them."""
        answer = await self._calls.call(
            accesses.GET_ORDER_HISTORY, purpose=purpose, path={"order_number": order_number}
        )
        return _sound(history_names, answer)

    # --- webhooks ---------------------------------------------------------------------------------------------

    async def subscribe(self, url_for: Callable[[str], str], *, now: datetime) -> Subscribed:
        """Have the shop call us for what we want to hear of. *url_for* gives the secret address of an event."""
        compared = await reconcile_webhooks(self, url_for, "Upbridge", now=now, granted=self._watches)
        did = compared.did
        return Subscribed(
            len(did.create), len(did.activate), len(did.delete), failed=compared.failed, denied=compared.denied
        )

    async def webhooks(self, *, purpose: Purpose = Purpose.LIFECYCLE) -> list[Webhook]:
        """The webhooks of our API user."""
        answer = await self._calls.call(accesses.GET_WEBHOOKS, purpose=purpose)
        return list(_model(_Webhooks, answer).webhooks)

    async def webhook_events(self, *, purpose: Purpose = Purpose.LIFECYCLE) -> list[WebhookEvent]:
        """The events that there are, and whether we may subscribe to them."""
        answer = await self._calls.call(accesses.GET_WEBHOOK_EVENTS, purpose=purpose)
        return list(_model(_Events, answer).events)

    async def create_webhook(
        self, *, event: str, url: str, name: str, purpose: Purpose = Purpose.LIFECYCLE
    ) -> Webhook:
        """Create an active webhook. Raises `Rejected` if the answer shows none."""
        body: dict[str, Any] = {"name": name, "url": url, "event": event, "active_yn": True}
        answer = await self._calls.call(accesses.POST_WEBHOOKS, purpose=purpose, body=body)
        created = _model(_Created, answer).webhook
        if created is None or created.id is None:
            raise Rejected(f"{accesses.POST_WEBHOOKS.name}: the answer shows no webhook")
        return created

    async def activate_webhook(self, webhook_id: int, *, purpose: Purpose = Purpose.LIFECYCLE) -> None:
        """Switch a webhook of ours on again."""
        body = {"id": webhook_id, "active_yn": True}
        await self._calls.call(accesses.PUT_WEBHOOKS, purpose=purpose, body=body)

    async def delete_webhooks(self, ids: Iterable[int], *, purpose: Purpose = Purpose.LIFECYCLE) -> None:
        """Delete webhooks of ours; one that is gone already is no error.

        One call each: both descriptions of the API agree on that form only.
        """
        for webhook_id in ids:
            with suppress(Missing):
                await self._calls.call(accesses.DELETE_WEBHOOK, purpose=purpose, path={"id": webhook_id})


def _parameters(language: str | None) -> Callable[[HttpAnswer, int], Page[Parameters]]:
    parse = partial(parse_parameters, language=language)
    return lambda answer, page: page_of(object_of(answer), "products", parse, page)


def _sound(parse: Callable[[W], T], raw: W) -> T:
    """*raw* parsed as a whole; an answer that makes no sense is none (`Unreachable`)."""
    try:
        return parse(raw)
    except Unreadable as error:
        raise Unreachable(f"the answer makes no sense: {error}") from error


def _model(model: type[Model], raw: Json) -> Model:
    return _sound(lambda answer: read(model, answer, "answer"), raw)


def _some(asked: Sequence[object]) -> bool:
    """Whether there is anything to send; more than one call takes is a mistake."""
    if len(asked) > BATCH:
        raise ValueError(f"at most {BATCH} items")
    return bool(asked)

"""/products: the four lists the add-on may use, and PUT by code with a message per item."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any

from starlette.responses import Response

from upbridge_sandbox.changes import Changes
from upbridge_sandbox.door import Call, answer
from upbridge_sandbox.seed import vocabulary
from upbridge_sandbox.seed.formats import Json
from upbridge_sandbox.shop import Shop
from upbridge_sandbox.state import State
from upbridge_sandbox.upgates.lists import MOST_A_PAGE, PRODUCTS_A_PAGE, Filters, complaint, page

#: what a product's or variant's PUT carries out here; the rest is published but not simulated
CARRIED_OUT = frozenset(
    [
        "code",
        "stock",
        "stock_increment",
        "active_yn",
        "archived_yn",
        "can_add_to_basket_yn",
        "ean",
        "weight",
        "variants",
    ]
)
_COLOUR, _SIZE = 2, 3
_COMPLETE_ONLY = frozenset(
    ["descriptions", "images", "categories", "prices", "vats", "metas", "rating", "action_currently_yn"]
)


class Products:
    """The product endpoints."""

    def __init__(self, state: State, changes: Changes) -> None:
        self.state = state
        self.changes = changes

    async def complete(self, call: Call) -> Response:
        """GET /products."""
        return self._list(call, _as_is)

    async def one(self, call: Call) -> Response:
        """GET /products/{code}."""
        filters, code = Filters(call, self.state.ledger), call.params["code"]
        found = [item for item in self.state.shops[call.shop].goods.products.values() if item["code"] == code]
        return answer(page(found, filters, key="products", size=PRODUCTS_A_PAGE, shape=_as_is))

    async def simple(self, call: Call) -> Response:
        """GET /products/simple: without texts and prices."""
        return self._list(call, _simple)

    async def parameters(self, call: Call) -> Response:
        """GET /products/parameters: colours and sizes of products and variants."""
        shop = self.state.shops[call.shop]
        return self._list(call, lambda product: _with_parameters(product, shop))

    async def variants(self, call: Call) -> Response:
        """GET /products/variants: the variants alone."""
        shop, filters = self.state.shops[call.shop], Filters(call, self.state.ledger)
        found = [variant for product in self._chosen(call, filters) for variant in product["variants"]]
        if (codes := filters.several("variant_codes")) is not None:
            found = [variant for variant in found if variant["code"] in codes]
        size = self._page_size(shop, filters)
        return answer(page(found, filters, key="variants", size=size, shape=_as_is))

    def _list(self, call: Call, shape: Callable[[Json], Json]) -> Response:
        shop, filters = self.state.shops[call.shop], Filters(call, self.state.ledger)
        chosen = self._chosen(call, filters)
        languages = filters.several("languages") or filters.several("language")
        pricelist, variants = call.last("pricelist"), filters.yes("variants_yn")

        def cut(product: Json) -> Json:
            product = shape(product)
            if languages is not None:
                product = _in_languages(product, languages)
            if pricelist is not None:
                product = _in_pricelist(product, pricelist)
            if variants is False:
                product = {key: value for key, value in product.items() if key != "variants"}
            return product

        size = self._page_size(shop, filters)
        return answer(page(chosen, filters, key="products", size=size, shape=cut))

    def _page_size(self, shop: Shop, filters: Filters) -> int:
        size = filters.whole("current_page_items", PRODUCTS_A_PAGE)
        if size > MOST_A_PAGE:
            filters.bad("current_page_items")
            return PRODUCTS_A_PAGE
        return PRODUCTS_A_PAGE if shop.ignore_page_items else size

    def _chosen(self, call: Call, filters: Filters) -> list[Json]:
        shop = self.state.shops[call.shop]
        tests: list[Callable[[Json], bool]] = []
        ids = filters.ids("product_ids")
        if (single := call.last("product_id")) is not None:
            ids = {int(single)} if single.isdigit() else set()
        if ids is not None:
            tests.append(lambda product: product["product_id"] in ids)
        if (codes := filters.several("codes")) is not None:
            tests.append(lambda product: product["code"] in codes)
        if (variant_codes := filters.several("variant_codes")) is not None:
            tests.append(lambda product: any(item["code"] in variant_codes for item in product["variants"]))
        if (since := filters.time("last_update_time_from")) is not None:
            tests.append(lambda product: datetime.fromisoformat(product["last_update_time"]) >= since)
        for name in ("active_yn", "archived_yn", "can_add_to_basket_yn", "exclude_from_search_yn"):
            if (asked := filters.yes(name)) is not None:
                tests += [partial(_is, name, asked)]
        if (in_stock := filters.yes("in_stock_yn")) is not None:
            tests.append(lambda product: ((product["stock"] or product["variants_stock"] or 0) > 0) == in_stock)
        return [product for product in shop.goods.products.values() if all(test(product) for test in tests)]

    async def put(self, call: Call) -> Response:
        """PUT /products: by code, products and variants of existing ones; above 100 nothing is done."""
        shop, body = self.state.shops[call.shop], call.json()
        products, variants = body.get("products", []), body.get("variants", [])
        if not isinstance(products, list) or not isinstance(variants, list):
            self.state.ledger.violation("upgates", "bad-body", call.line, "products and variants are arrays")
            return answer({"products": [], "messages": [complaint("products is not an array")]}, 400)
        call.items = len(products) + len(variants)
        nested = max((len(item.get("variants") or []) for item in products), default=0)
        if call.items > MOST_A_PAGE or nested > MOST_A_PAGE:
            self.state.ledger.violation("upgates", "too-many-items", call.line, str(call.items))
            return answer({"messages": [complaint("Payload Too Large")]}, 413)
        index = _Codes(shop)
        answers: dict[int | None, Json] = {}
        for item in products:
            self._put_product(shop, item, index, answers, call)
        for item in variants:
            self._put_variant(shop, item, index, answers, call)
        return answer({"products": list(answers.values())})

    def _put_product(
        self, shop: Shop, item: Json, index: "_Codes", answers: dict[int | None, Json], call: Call
    ) -> None:
        code = item.get("code")
        product = index.product(code)
        result = _entry(answers, product, code)
        if product is None:
            result["messages"].append(complaint(f"Product {code} not found", thing="product", name="code"))
            return
        if code in shop.refuse_puts:
            result["messages"].append(complaint("The product cannot be updated", thing="product"))
            return
        self._edit(shop, product, None, item, call)
        result["updated_yn"] = True
        for row in item.get("variants") or []:
            self._put_variant(shop, row, index, answers, call)

    def _put_variant(
        self, shop: Shop, item: Json, index: "_Codes", answers: dict[int | None, Json], call: Call
    ) -> None:
        code = item.get("code")
        found = index.variant(code)
        product, variant = found or (None, None)
        result = _entry(answers, product, product["code"] if product else None)
        row: Json = {
            "variant_id": variant["variant_id"] if variant else None,
            "code": code,
            "updated_yn": False,
            "messages": [],
        }
        result["variants"].append(row)
        if product is None or variant is None:
            row["messages"].append(complaint(f"Variant {code} not found", thing="variant", name="code"))
        elif code in shop.refuse_puts:
            row["messages"].append(complaint("The variant cannot be updated", thing="variant"))
        else:
            self._edit(shop, product, variant, item, call)
            row["updated_yn"] = result["updated_yn"] = True

    def _edit(self, shop: Shop, product: Json, variant: Json | None, item: Json, call: Call) -> None:
        values: dict[str, Any] = {}
        target = product if variant is None else variant
        for name, value in item.items():
            if name not in CARRIED_OUT:
                self.state.ledger.violation("upgates", "not-simulated", call.line, name)
            elif name == "stock" and (not isinstance(value, int | float) or isinstance(value, bool)):
                self.state.ledger.violation("upgates", "bad-body", call.line, "stock is a number")
            elif name == "stock_increment":
                values["stock"] = (target["stock"] or 0) + float(value)
            elif name not in ("code", "variants"):
                values[name] = value
        if any(target.get(name) != value for name, value in values.items()):
            self.changes.edit_product(shop, product, variant, values)


def _is(name: str, asked: bool, product: Json) -> bool:  # noqa: FBT001 - a filter's value
    return bool(product[name]) == asked


class _Codes:
    """Products and variants by code. A code that occurs twice pairs with nothing."""

    def __init__(self, shop: Shop) -> None:
        products = list(shop.goods.products.values())
        self._products = {item["code"]: item for item in products}
        self._variants = {row["code"]: (item, row) for item in products for row in item["variants"]}
        self._counts = Counter(row["code"] for item in products for row in (item, *item["variants"]))

    def product(self, code: Any) -> Json | None:
        return self._products.get(code) if code and self._counts[code] == 1 else None

    def variant(self, code: Any) -> tuple[Json, Json] | None:
        return self._variants.get(code) if code and self._counts[code] == 1 else None


def _entry(answers: dict[int | None, Json], product: Json | None, code: str | None) -> Json:
    """The answer's entry for a product; variants stand inside their product's entry."""
    key = product["product_id"] if product else None
    if key is None and code is not None:
        key = -len(answers) - 1
    if key not in answers:
        answers[key] = {
            "product_id": product["product_id"] if product else None,
            "code": code,
            "product_url": product["admin_url"] if product else None,
            "updated_yn": False,
            "messages": [],
            "variants": [],
        }
    return answers[key]


def _as_is(item: Json) -> Json:
    return item


def _simple(product: Json) -> Json:
    slim = {key: value for key, value in product.items() if key not in _COMPLETE_ONLY}
    slim["variants"] = [
        {key: value for key, value in variant.items() if key not in _COMPLETE_ONLY}
        for variant in product["variants"]
    ]
    return slim


def _with_parameters(product: Json, shop: Shop) -> Json:
    return {
        "code": product["code"],
        "product_id": product["product_id"],
        "parameters": [],
        "parameters_new": [],
        "variants": [
            {
                "code": variant["code"],
                "variant_id": variant["variant_id"],
                **_worn(*shop.goods.colour_and_size[variant["variant_id"]]),
            }
            for variant in product["variants"]
        ],
        "admin_url": product["admin_url"],
    }


def _worn(colour: int, size: str) -> Json:
    """A variant's colour and size, in the old and the new notation."""
    old, new = [], []
    names = vocabulary.COLOURS[colour]
    for parameter, titles, values, value_id in (
        (_COLOUR, ("Barva", "Farba", "Colour"), names[:3], 100 + colour),
        (_SIZE, ("Velikost", "Veľkosť", "Size"), (size,) * 3, 200 + sum(size.encode())),
    ):
        by_language = dict(zip(("cs", "sk", "en"), titles, strict=True))
        value_by_language = dict(zip(("cs", "sk", "en"), values, strict=True))
        old.append({"name": by_language, "values": [value_by_language]})
        new.append(
            {
                "id": parameter,
                "descriptions": [{"language": key, "name": text} for key, text in by_language.items()],
                "values": [
                    {
                        "id": value_id,
                        "descriptions": [
                            {"language": key, "value": text} for key, text in value_by_language.items()
                        ],
                    }
                ],
            }
        )
    return {"parameters": old, "parameters_new": new}


def _in_languages(product: Json, languages: list[str]) -> Json:
    cut = {**product}
    for name in ("descriptions", "prices"):
        if name in cut:
            cut[name] = [row for row in cut[name] if row["language"] in languages]
    if "variants" in cut:
        cut["variants"] = [_in_languages(variant, languages) for variant in cut["variants"]]
    return cut


def _in_pricelist(product: Json, pricelist: str) -> Json:
    cut = {**product}
    cut["prices"] = [
        {**row, "pricelists": [entry for entry in row["pricelists"] if entry["name"] == pricelist]}
        for row in cut.get("prices", [])
    ]
    if "variants" in cut:
        cut["variants"] = [_in_pricelist(variant, pricelist) for variant in cut["variants"]]
    return cut

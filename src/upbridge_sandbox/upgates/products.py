"""/products: the list, what tells variants apart, and PUT by code with a message per item."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Any

from starlette.responses import JSONResponse

from upbridge_sandbox.asgi.call import Call
from upbridge_sandbox.changes import Changes
from upbridge_sandbox.seed import vocabulary
from upbridge_sandbox.seed.formats import MARKETS, Json
from upbridge_sandbox.shop import Shop
from upbridge_sandbox.upgates.lists import MOST_A_PAGE, PRODUCTS_A_PAGE, Filters, complaint, page, too_large

#: id and name of the parameters that variants have
_COLOUR, _SIZE = (2, ("Barva", "Farba", "Colour")), (3, ("Velikost", "Veľkosť", "Size"))


class Products:
    """The product operations."""

    def __init__(self, changes: Changes) -> None:
        self.changes = changes

    async def complete(self, call: Call, shop: Shop) -> Json:
        """Products with everything."""
        return self._listed(call, shop, lambda product: product)

    async def parameters(self, call: Call, shop: Shop) -> Json:
        """Colours and sizes of products and variants."""
        return self._listed(call, shop, lambda product: _with_parameters(product, shop))

    def _listed(self, call: Call, shop: Shop, shape: Callable[[Json], Json]) -> Json:
        filters = Filters(call)
        answer = page(_chosen(shop, filters), filters, key="products", size=_page_size(shop, filters), shape=shape)
        rng = self.changes.state.rng.of(f"moves-{shop.name}")
        if answer["number_of_pages"] > 1 and shop.faults.happens("move", rng):
            call.answered = lambda: self.changes.stir_products(shop)
        return answer

    async def put(self, call: Call, shop: Shop) -> Any:
        """Products and variants by code; above a hundred, none is changed."""
        body = call.document()
        products, variants = body.get("products", []), body.get("variants", [])
        if not isinstance(products, list) or not isinstance(variants, list):
            call.violation("bad-body", "products and variants are arrays")
            return JSONResponse({"products": [], "messages": [complaint("products is not an array")]}, 400)
        call.item_count = len(products) + len(variants)
        if call.item_count > MOST_A_PAGE:
            return too_large(call)
        return {"products": _Put(call, shop, self.changes).carry_out(products, variants)}


class _Put:
    """One PUT of products and variants. A code that occurs twice in the shop pairs with nothing."""

    def __init__(self, call: Call, shop: Shop, changes: Changes) -> None:
        self.call = call
        self.shop = shop
        self.changes = changes
        products = list(shop.goods.products.values())
        self.products = {item["code"]: item for item in products}
        self.variants = {row["code"]: (item, row) for item in products for row in item["variants"]}
        self.counts = Counter(row["code"] for item in products for row in (item, *item["variants"]))
        self.answers: dict[int | None, Json] = {}

    def carry_out(self, products: list[Json], variants: list[Json]) -> list[Json]:
        """Change what can be changed; an entry for each product, with those of its variants in it."""
        for item in products:
            self._product(item)
        for item in variants:
            self._variant(item)
        return list(self.answers.values())

    def _unique(self, code: Any) -> bool:
        return bool(code) and self.counts[code] == 1

    def _product(self, item: Json) -> None:
        code = item.get("code")
        product = self.products.get(code) if self._unique(code) else None
        result = self._entry(product, code)
        if product is None:
            result["messages"].append(complaint(f"Product {code} not found", thing="product", name="code"))
            return
        if code in self.shop.refuse_puts:
            result["messages"].append(complaint("The product cannot be updated", thing="product"))
            return
        self._edit(product, None, item)
        result["updated_yn"] = True

    def _variant(self, item: Json) -> None:
        code = item.get("code")
        product, variant = (self.variants.get(code) if self._unique(code) else None) or (None, None)
        result = self._entry(product, product["code"] if product else None)
        row: Json = {
            "variant_id": variant["variant_id"] if variant else None,
            "code": code,
            "updated_yn": False,
            "messages": [],
        }
        result["variants"].append(row)
        if product is None or variant is None:
            row["messages"].append(complaint(f"Variant {code} not found", thing="variant", name="code"))
        elif code in self.shop.refuse_puts:
            row["messages"].append(complaint("The variant cannot be updated", thing="variant"))
        else:
            self._edit(product, variant, item)
            row["updated_yn"] = result["updated_yn"] = True

    def _entry(self, product: Json | None, code: str | None) -> Json:
        """The answer's entry for a product; variants stand inside their product's entry."""
        key = product["product_id"] if product else None if code is None else -len(self.answers) - 1
        entry: Json = {
            "product_id": product["product_id"] if product else None,
            "code": code,
            "product_url": product["admin_url"] if product else None,
            "updated_yn": False,
            "messages": [],
            "variants": [],
        }
        return self.answers.setdefault(key, entry)

    def _edit(self, product: Json, variant: Json | None, item: Json) -> None:
        stock = item.get("stock")
        if not isinstance(stock, int | float) or isinstance(stock, bool):
            self.call.violation("bad-body", "stock is a number")
        elif stock != (variant or product)["stock"]:
            self.changes.edit_product(self.shop, product, variant, {"stock": stock})


def _page_size(shop: Shop, filters: Filters) -> int:
    size = filters.whole("current_page_items", PRODUCTS_A_PAGE)
    if size > MOST_A_PAGE:
        filters.bad("current_page_items")
        return PRODUCTS_A_PAGE
    return shop.faults.page_items or (PRODUCTS_A_PAGE if shop.ignore_page_items else size)


def _chosen(shop: Shop, filters: Filters) -> list[Json]:
    """The products that pass all filters of the call."""
    products, tests = shop.goods.products, list[Callable[[Json], bool]]()
    if (ids := filters.several("product_ids")) is not None:
        asked = {str(number): product for number, product in products.items() if str(number) in ids}
        products = {product["product_id"]: product for product in shop.looks(asked)}
    if (since := filters.time("last_update_time_from")) is not None:
        tests.append(lambda product: datetime.fromisoformat(product["last_update_time"]) >= since)
    if flags := {name: yes for name in ("active_yn", "archived_yn") if (yes := filters.yes(name)) is not None}:
        tests.append(lambda product: all(bool(product[name]) == asked for name, asked in flags.items()))
    return [product for product in products.values() if all(test(product) for test in tests)]


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
                **_parameters(*shop.goods.colour_and_size[variant["variant_id"]]),
            }
            for variant in product["variants"]
        ],
        "admin_url": product["admin_url"],
    }


def _parameters(colour: int, size: str) -> Json:
    """A variant's colour and size, in the old and the new notation."""
    old, new = [], []
    for (parameter, titles), values, value_id in (
        (_COLOUR, vocabulary.COLOURS[colour][:3], 100 + colour),
        (_SIZE, (size,) * 3, 200 + sum(size.encode())),
    ):
        by_language = dict(zip(MARKETS, titles, strict=True))
        value_by_language = dict(zip(MARKETS, values, strict=True))
        value_texts = [{"language": key, "value": text} for key, text in value_by_language.items()]
        old.append({"name": by_language, "values": [value_by_language]})
        new.append(
            {
                "id": parameter,
                "descriptions": [{"language": key, "name": text} for key, text in by_language.items()],
                "values": [{"id": value_id, "descriptions": value_texts}],
            }
        )
    return {"parameters": old, "parameters_new": new}

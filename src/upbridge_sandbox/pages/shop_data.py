"""Products and orders of a shop, to look at and to change."""

from html import escape

from starlette.responses import RedirectResponse, Response

from upbridge_sandbox.door import Call, Json
from upbridge_sandbox.pages.html import (
    Html,
    button,
    do,
    entry,
    form,
    hidden,
    link,
    number_or_none,
    paged,
    pill,
    post,
    pretty,
    select,
    table,
)
from upbridge_sandbox.pages.layout import Layout
from upbridge_sandbox.seed.orders import STATUSES
from upbridge_sandbox.seed.products import price_of
from upbridge_sandbox.seed.vocabulary import COLOURS
from upbridge_sandbox.shop import Shop


class ShopDataPages(Layout):
    """What a shop holds."""

    async def products(self, call: Call) -> Response:
        """The products, a page at a time."""
        shop = self.state.shops[call.params["shop"]]
        wanted = (call.last("q") or "").lower()
        rows = [item for item in shop.goods.products.values() if wanted in _searchable(item)]
        shown, pager = paged(call, rows, f"/shops/{shop.name}/products", wanted)
        listed = table(
            ("product", "code", "#price CZK", "#stock", "#variants", "state", ""),
            (
                (
                    link(f"/shops/{shop.name}/products/{item['product_id']}", item["descriptions"][0]["title"]),
                    item["code"] or "–",  # noqa: RUF001
                    price_of(item, None, "cs") or "–",  # noqa: RUF001
                    "–" if item["stock"] is None else item["stock"],  # noqa: RUF001
                    len(item["variants"]),
                    _product_state(item),
                    post(f"/shops/{shop.name}/products/{item['product_id']}", "delete", "Delete", "bad"),
                )
                for item in shown
            ),
        )
        search = form(
            entry("q", wanted, hint="title or code", size=24), "<button class=quiet>Find</button>", method="get"
        )
        count = entry("count", 20, kind="number")
        many = form(count, do("many", "Random changes", ""), do("new", "New product"))
        body = f"<section><div class=row>{search}{many}</div>{listed}{pager}</section>"
        return self.page(f"{shop.project_name}: products", self.tabs(shop) + body)

    async def product(self, call: Call) -> Response:
        """One product with its variants, to be edited."""
        shop = self.state.shops[call.params["shop"]]
        product = shop.goods.products[int(call.params["id"])]
        checked = " checked" if product["active_yn"] else ""
        title = escape(product["descriptions"][0]["title"], quote=True)
        stock = "" if product["stock"] is None else product["stock"]
        body = f"""<section><form method=post class=row><input type=hidden name=do value=save>
<label>title <input name=title value="{title}" size=40></label>
<label>stock <input type=number step=any name=stock value="{stock}"></label>
<label>price, change in % <input type=number name=percent value=0></label>
<label><input type=checkbox name=active{checked}> active</label><button>Save</button></form></section>"""
        rows = (
            (
                variant["code"] or "–",  # noqa: RUF001
                variant["ean"] or "–",  # noqa: RUF001
                " ".join(_worn(shop, variant)),
                _stock_form(variant),
                "own" if variant["prices"] else "inherited",
            )
            for variant in product["variants"]
        )
        if product["variants"]:
            body += f"<section>{table(('variant', 'EAN', 'colour, size', 'stock', 'price'), rows)}</section>"
        body += f"<section><details><summary>As the API shows it</summary>{pretty(product)}</details></section>"
        return self.page(product["descriptions"][0]["title"], self.tabs(shop) + body)

    async def change_product(self, call: Call) -> Response:
        """A form of the product pages."""
        shop, sent, changes = self.state.shops[call.params["shop"]], call.form(), self.m.changes
        back = f"/shops/{shop.name}/products"
        pressed = sent.get("do")
        if pressed == "many":
            changes.many(shop, int(sent["count"]), self.state.rng.of("admin").randrange(10**6))
        elif pressed == "new":
            back += f"/{changes.create_product(shop)['product_id']}"
        else:
            product = shop.goods.products[int(call.params["id"])]
            if pressed == "delete":
                changes.delete_product(shop, product)
                return RedirectResponse(back, 303)
            back += f"/{product['product_id']}"
            if pressed == "variant":
                variant = next(row for row in product["variants"] if str(row["variant_id"]) == sent["variant"])
                changes.edit_product(shop, product, variant, {"stock": number_or_none(sent.get("stock"))})
            elif pressed == "save":
                self._save_product(shop, product, sent)
        return RedirectResponse(back, 303)

    def _save_product(self, shop: Shop, product: Json, sent: dict[str, str]) -> None:
        changes = self.m.changes
        if sent.get("title") != product["descriptions"][0]["title"]:
            changes.rename_product(shop, product, "cs", sent["title"])
        if int(sent.get("percent") or 0):
            changes.price_product(shop, product, int(sent["percent"]))
        values = {"stock": number_or_none(sent.get("stock")), "active_yn": "active" in sent}
        if any(product[name] != value for name, value in values.items()):
            changes.edit_product(shop, product, None, values)

    async def orders(self, call: Call) -> Response:
        """The orders, newest first."""
        shop = self.state.shops[call.params["shop"]]
        rows = list(reversed(shop.orders.values()))
        shown, pager = paged(call, rows, f"/shops/{shop.name}/orders", "")
        names = [(str(status), czech) for status, _, _, czech, *_ in STATUSES]
        listed = table(
            ("order", "placed", "customer", "#total", "status", "tracking", ""),
            (
                (
                    order["order_number"],
                    order["creation_time"][:16].replace("T", " "),
                    f"{order['customer']['firstname_invoice']} {order['customer']['surname_invoice']}",
                    f"{order['order_total']} {order['currency_id']}",
                    Html(
                        form(
                            hidden("order", order["order_number"]),
                            select("status", names, str(order["status_id"])),
                            do("status", "Set"),
                        )
                    ),
                    order["tracking_code"] or "",
                    Html(
                        form(
                            hidden("order", order["order_number"]),
                            do("more", "+1 piece"),
                            do("delete", "Delete", "bad"),
                        )
                    ),
                )
                for order in shown
            ),
        )
        new = button("new", "New order", "")
        body = f"<section>{new}{listed}{pager}</section>"
        return self.page(f"{shop.project_name}: orders", self.tabs(shop) + body)

    async def change_order(self, call: Call) -> Response:
        """A form of the orders page."""
        shop, sent, changes = self.state.shops[call.params["shop"]], call.form(), self.m.changes
        if sent.get("do") == "new":
            changes.create_order(shop)
        else:
            order = shop.orders[sent["order"]]
            if sent.get("do") == "delete":
                changes.delete_order(shop, order)
            elif sent.get("do") == "more":
                changes.edit_order_line(shop, order, int(order["products"][0]["quantity"]) + 1)
            elif sent.get("do") == "status":
                changes.edit_order(shop, order, {"status_id": int(sent["status"])})
        return RedirectResponse(f"/shops/{shop.name}/orders", 303)


def _stock_form(variant: Json) -> Html:
    stock = "" if variant["stock"] is None else variant["stock"]
    return Html(
        form(
            hidden("variant", variant["variant_id"]),
            entry("stock", stock, kind="number", hint="inherited"),
            do("variant", "Set"),
        )
    )


def _product_state(product: Json) -> Html:
    if product["archived_yn"]:
        return pill("archived")
    return pill("active", "ok") if product["active_yn"] else pill("inactive", "bad")


def _worn(shop: Shop, variant: Json) -> tuple[str, str]:

    colour, size = shop.goods.colour_and_size[variant["variant_id"]]
    return COLOURS[colour][0], size


def _searchable(product: Json) -> str:
    codes = " ".join(str(row["code"]) for row in product["variants"])
    return f"{product['descriptions'][0]['title']} {product['code']} {codes}".lower()

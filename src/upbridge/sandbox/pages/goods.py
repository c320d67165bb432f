"""Products and orders of a shop, to look at and to change."""

from html import escape

from starlette.responses import RedirectResponse, Response

from upbridge.sandbox.door import Call, Json
from upbridge.sandbox.pages.frame import Frame
from upbridge.sandbox.pages.html import Html, link, number_or_none, paged, pill, post, pretty, select, table
from upbridge.sandbox.seed.catalogue import price_of
from upbridge.sandbox.seed.orders import STATUSES
from upbridge.sandbox.seed.words import COLOURS
from upbridge.sandbox.shop import Shop


class GoodsPages(Frame):
    """What a shop holds."""

    async def products(self, call: Call) -> Response:
        """The products, a page at a time."""
        shop = self.world.shops[call.params["shop"]]
        wanted = (call.last("q") or "").lower()
        rows = [item for item in shop.goods.products.values() if wanted in _searchable(item)]
        shown, pager = paged(call, rows, f"/shops/{shop.name}/products", wanted)
        table = table(
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
        search = f'<form class=row><input name=q value="{escape(wanted, quote=True)}" placeholder="title or code"><button class=quiet>Find</button></form>'
        many = "<form method=post class=row><input type=number name=count value=20 min=1 max=2000><button name=do value=many>Random changes</button><button class=quiet name=do value=new>New product</button></form>"
        body = f"<section><div class=row>{search}{many}</div>{table}{pager}</section>"
        return self.page(f"{shop.project_name}: products", self.tabs(shop) + body)

    async def product(self, call: Call) -> Response:
        """One product with its variants, to be edited."""
        shop = self.world.shops[call.params["shop"]]
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
        shop, form, changes = self.world.shops[call.params["shop"]], call.form(), self.m.changes
        back = f"/shops/{shop.name}/products"
        do = form.get("do")
        if do == "many":
            changes.many(shop, int(form["count"]), self.world.dice.of("admin").randrange(10**6))
        elif do == "new":
            back += f"/{changes.create_product(shop)['product_id']}"
        else:
            product = shop.goods.products[int(call.params["id"])]
            if do == "delete":
                changes.delete_product(shop, product)
                return RedirectResponse(back, 303)
            back += f"/{product['product_id']}"
            if do == "variant":
                variant = next(row for row in product["variants"] if str(row["variant_id"]) == form["variant"])
                changes.edit_product(shop, product, variant, {"stock": number_or_none(form.get("stock"))})
            elif do == "save":
                self._save_product(shop, product, form)
        return RedirectResponse(back, 303)

    def _save_product(self, shop: Shop, product: Json, form: dict[str, str]) -> None:
        changes = self.m.changes
        if form.get("title") != product["descriptions"][0]["title"]:
            changes.rename_product(shop, product, "cs", form["title"])
        if int(form.get("percent") or 0):
            changes.price_product(shop, product, int(form["percent"]))
        values = {"stock": number_or_none(form.get("stock")), "active_yn": "active" in form}
        if any(product[name] != value for name, value in values.items()):
            changes.edit_product(shop, product, None, values)

    async def orders(self, call: Call) -> Response:
        """The orders, newest first."""
        shop = self.world.shops[call.params["shop"]]
        rows = list(reversed(shop.orders.values()))
        shown, pager = paged(call, rows, f"/shops/{shop.name}/orders", "")
        names = [(str(status), czech) for status, _, _, czech, *_ in STATUSES]
        table = table(
            ("order", "placed", "customer", "#total", "status", "tracking", ""),
            (
                (
                    order["order_number"],
                    order["creation_time"][:16].replace("T", " "),
                    f"{order['customer']['firstname_invoice']} {order['customer']['surname_invoice']}",
                    f"{order['order_total']} {order['currency_id']}",
                    Html(
                        f'<form method=post class=row><input type=hidden name=order value="{order["order_number"]}">'
                        f"{select('status', names, str(order['status_id']))}"
                        "<button class=quiet name=do value=status>Set</button></form>"
                    ),
                    order["tracking_code"] or "",
                    Html(
                        f'<form method=post><input type=hidden name=order value="{order["order_number"]}">'
                        "<button class=quiet name=do value=more>+1 piece</button> "
                        "<button class=bad name=do value=delete>Delete</button></form>"
                    ),
                )
                for order in shown
            ),
        )
        new = "<form method=post><button name=do value=new>New order</button></form>"
        body = f"<section>{new}{table}{pager}</section>"
        return self.page(f"{shop.project_name}: orders", self.tabs(shop) + body)

    async def change_order(self, call: Call) -> Response:
        """A form of the orders page."""
        shop, form, changes = self.world.shops[call.params["shop"]], call.form(), self.m.changes
        if form.get("do") == "new":
            changes.create_order(shop)
        else:
            order = shop.orders[form["order"]]
            if form.get("do") == "delete":
                changes.delete_order(shop, order)
            elif form.get("do") == "more":
                changes.edit_order_line(shop, order, int(order["products"][0]["quantity"]) + 1)
            elif form.get("do") == "status":
                changes.edit_order(shop, order, {"status_id": int(form["status"])})
        return RedirectResponse(f"/shops/{shop.name}/orders", 303)


def _stock_form(variant: Json) -> Html:
    stock = "" if variant["stock"] is None else variant["stock"]
    return Html(
        f'<form method=post class=row><input type=hidden name=do value=variant><input type=hidden name=variant value="{variant["variant_id"]}">'
        f'<input type=number step=any name=stock value="{stock}" placeholder="inherited"><button class=quiet>Set</button></form>'
    )


def _product_state(product: Json) -> Html:
    if product["archived_yn"]:
        return pill("archived")
    return pill("active", "ok") if product["active_yn"] else pill("inactive", "bad")


def _worn(shop: Shop, variant: Json) -> tuple[str, str]:

    colour, size = shop.goods.worn_as[variant["variant_id"]]
    return COLOURS[colour][0], size


def _searchable(product: Json) -> str:
    codes = " ".join(str(row["code"]) for row in product["variants"])
    return f"{product['descriptions'][0]['title']} {product['code']} {codes}".lower()

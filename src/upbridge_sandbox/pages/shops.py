"""The shops: the add-on in them, and their webhooks."""

import json
from html import escape

from starlette.responses import RedirectResponse, Response

from upbridge_sandbox.door import Call
from upbridge_sandbox.marketplace import NoAddon
from upbridge_sandbox.pages.html import ROWS, button, do, form, link, pill, select, table
from upbridge_sandbox.pages.layout import Layout
from upbridge_sandbox.seed.plan import credentials
from upbridge_sandbox.shop import Shop
from upbridge_sandbox.upgates.announcements import timings


class ShopPages(Layout):
    """All shops, one shop, its deliveries."""

    async def home(self, _call: Call) -> Response:
        """All shops, and what the targets hold."""
        shops = table(
            ("shop", "state", "#products", "#orders", "#webhooks"),
            (
                (
                    link(f"/shops/{shop.name}", shop.project_name),
                    pill("add-on active", "ok") if shop.active else pill("add-on not active"),
                    len(shop.goods.products),
                    len(shop.orders),
                    len(shop.webhooks),
                )
                for shop in self.state.shops.values()
            ),
        )
        upp = table(
            ("Upp.ai account", "#products", "#orders"),
            (
                (link(f"/upp/{item.client_id}", item.client_id), len(item.products), len(item.orders))
                for item in self.state.tenants.values()
            ),
        )
        uphance = table(
            ("Uphance organisation", "#products", "#customers", "#sales orders", "#pick tickets"),
            (
                (
                    link(f"/uphance/{item.id}", item.name),
                    len(item.products),
                    len(item.customers),
                    len(item.orders),
                    len(item.tickets),
                )
                for item in self.state.uphance.organisations.values()
            ),
        )
        body = f"<h2>Shops at Upgates</h2><section>{shops}</section>"
        body += f"<h2>What Upp.ai holds</h2><section>{upp}</section>"
        body += f"<h2>What Uphance holds</h2><section>{uphance}</section>"
        return self.page("The simulated outside world", body)

    async def shop(self, call: Call) -> Response:
        """One shop: activate, open, deactivate, and the frame of the opened add-on."""
        shop = self.state.shops[call.params["shop"]]
        buttons = [button("activate", "Activate again" if shop.active else "Activate", "")]
        if shop.active:
            buttons += [
                button("open", "Open", ""),
                button("version", f"Move to version {shop.version + 1}", "quiet"),
                button("deactivate", "Deactivate", "bad"),
            ]
        language = select("language", [(code, code) for code in ("cs", "sk", "en")], shop.language)
        state = pill("active", "ok") if shop.active else pill("not active")
        body = f"<section><div class=row><b>Upbridge</b> {state} <span class=dim>version {shop.version}</span>"
        body += "".join(buttons)
        body += form(f"<label>language {language}</label>", do("language", "Set")) + "</div>"
        if shop.log:
            last = shop.log[-1]
            body += f"<p class=dim>Last call: {escape(str(last['call']))}, answer {last['status']}"
            said = escape(json.dumps(last["answer"], ensure_ascii=False))
            body += f" after {last['seconds']} s <code>{said}</code></p>"
        body += "</section>"
        if shop.frame:
            url = escape(shop.frame["url"], quote=True)
            if shop.frame["type"] == "iframe":
                body += f'<iframe src="{url}" title="The add-on"></iframe>'
            else:
                body += f'<section>The add-on wants to be opened at <a href="{url}">its own address</a>.</section>'
            shop.frame = None
        else:
            body += self._hints(shop)
        return self.page(shop.project_name, self.tabs(shop) + body)

    def _hints(self, shop: Shop) -> str:
        """What a person may want to do next."""
        connect = credentials(self.state, shop)
        upp, uphance = connect["upp"], connect["uphance"]
        rows = (
            ("Upp.ai", f"client id {upp['client_id']}, secret {upp['secret']}"),
            ("Uphance", f"{uphance['email']}, password {uphance['password']}"),
        )
        step = "Open shows the add-on here." if shop.active else "Activate it; then Open shows it here."
        accounts = table(("system", "login"), rows)
        return f"<section><p>{step} These accounts can be connected in it:</p>{accounts}</section>"

    async def act(self, call: Call) -> Response:
        """A button of the shop's page."""
        shop, sent = self.state.shops[call.params["shop"]], call.form()
        pressed = sent.get("do")
        try:
            if pressed == "activate":
                await self.m.marketplace.activate(shop)
            elif pressed == "open":
                await self.m.marketplace.open(shop)
            elif pressed == "deactivate":
                await self.m.marketplace.deactivate(shop)
            elif pressed == "version":
                await self.m.marketplace.change_version(shop, shop.version + 1)
            elif pressed == "language":
                shop.language = sent["language"]
        except NoAddon:
            raise ValueError("the sandbox was started without the add-on's address") from None
        return RedirectResponse(f"/shops/{shop.name}", 303)

    async def deliveries(self, call: Call) -> Response:
        """The webhooks and how the add-on answered."""
        shop = self.state.shops[call.params["shop"]]
        took = timings(shop)
        hooks = table(
            ("event", "active", "last success", "last error"),
            (
                (
                    hook.event,
                    "yes" if hook.active_yn else "no",
                    hook.last_success_call or "",
                    hook.last_error_call or "",
                )
                for hook in shop.webhooks.values()
            ),
        )
        rows = table(
            ("time", "event", "#records", "#ms", "outcome"),
            (
                (
                    item.at.strftime("%H:%M:%S"),
                    item.event,
                    item.records,
                    round(item.seconds * 1000),
                    pill(f"{item.outcome} {item.status}", "ok" if item.outcome == "ok" else "bad"),
                )
                for item in list(reversed(shop.deliveries))[:ROWS]
            ),
        )
        body = f"<section>p50 {took['p50']} s, p99 {took['p99']} s, longest {took['max']} s;"
        body += " the limit is 1 s.</section>"
        body += f"<h2>Subscriptions</h2><section>{hooks}</section><h2>Deliveries</h2><section>{rows}</section>"
        return self.page(f"{shop.project_name}: webhooks", self.tabs(shop) + body)

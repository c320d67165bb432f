"""The shops: the add-on in them, and their webhooks."""

from starlette.responses import Response

from upbridge_sandbox.asgi.call import Call
from upbridge_sandbox.pages.layout import ROWS, Pages
from upbridge_sandbox.seed.plan import credentials
from upbridge_sandbox.upgates.announcements import timings


class ShopPages(Pages):
    """All shops, one shop, its deliveries."""

    async def home(self, _call: Call) -> Response:
        """All shops, and what the targets hold."""
        return self.page(
            "The simulated outside world",
            "home.html",
            shops=self.state.shops.values(),
            tenants=self.state.tenants.values(),
            organisations=self.state.uphance.organisations.values(),
        )

    async def shop(self, call: Call) -> Response:
        """One shop: activate, open, deactivate, and once the frame of the opened add-on."""
        shop = self.shop_of(call)
        connect = credentials(self.state, shop)
        upp, uphance = connect["upp"], connect["uphance"]
        accounts = (
            ("Upp.ai", f"client id {upp['client_id']}, secret {upp['secret']}"),
            ("Uphance", f"{uphance['email']}, password {uphance['password']}"),
        )
        frame, shop.frame = shop.frame, None
        return self.page(shop.project_name, "shop.html", shop=shop, frame=frame, accounts=accounts)

    async def deliveries(self, call: Call) -> Response:
        """The webhooks and how the add-on answered."""
        shop = self.shop_of(call)
        subscriptions = [
            (
                hook.event,
                "yes" if hook.active_yn else "no",
                hook.last_success_call or "",
                hook.last_error_call or "",
            )
            for hook in shop.webhooks.values()
        ]
        return self.page(
            f"{shop.project_name}: webhooks",
            "deliveries.html",
            shop=shop,
            took=timings(shop),
            subscriptions=subscriptions,
            deliveries=list(reversed(shop.deliveries))[:ROWS],
        )

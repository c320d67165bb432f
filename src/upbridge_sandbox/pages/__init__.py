"""The simulated administration for a person: shops, products, orders, deliveries, what the targets hold, faults,
mails.

Forms post to the page that shows them and come back to it. Nothing of it is part of the add-on.
"""

from typing import Any

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Mount
from starlette.types import ASGIApp

from upbridge_sandbox.asgi.call import Call
from upbridge_sandbox.asgi.middleware import Recorded
from upbridge_sandbox.asgi.routing import ErrorHandler, Operation, application
from upbridge_sandbox.control import PREFIX, control_api
from upbridge_sandbox.control.context import Context, Missing
from upbridge_sandbox.marketplace import NoAddon
from upbridge_sandbox.pages.layout import Pages
from upbridge_sandbox.pages.mail import MailPages
from upbridge_sandbox.pages.shop_data import ShopDataPages
from upbridge_sandbox.pages.shops import ShopPages
from upbridge_sandbox.pages.targets import TargetPages
from upbridge_sandbox.uphance.sales import NotAcceptable


def admin_app(context: Context) -> ASGIApp:
    """Port P: `/control/...` is JSON, everything else is pages. It has no faults of its own."""
    plain, shops = Pages(context), ShopPages(context)
    data, targets, mail = ShopDataPages(context), TargetPages(context), MailPages(context)
    pages = (
        ("GET", "/", shops.home),
        ("GET", "/shops/{shop}", shops.shop),
        ("POST", "/shops/{shop}", shops.act),
        ("GET", "/shops/{shop}/deliveries", shops.deliveries),
        ("GET", "/shops/{shop}/products", data.products),
        ("POST", "/shops/{shop}/products", data.change_products),
        ("GET", "/shops/{shop}/products/{id}", data.product),
        ("POST", "/shops/{shop}/products/{id}", data.change_product),
        ("GET", "/shops/{shop}/orders", data.orders),
        ("POST", "/shops/{shop}/orders", data.change_order),
        ("GET", "/upp/{client}", targets.upp),
        ("GET", "/uphance/{org}", targets.uphance),
        ("POST", "/uphance/{org}", targets.work_in_uphance),
        ("GET", "/faults", targets.faults),
        ("POST", "/faults", targets.change_faults),
        ("GET", "/violations", targets.violations),
        ("GET", "/mail", mail.box),
        ("POST", "/mail", mail.change),
        ("GET", "/mail/{id}", mail.one),
        ("GET", "/mail/{id}/html", mail.html),
    )

    def not_here(_call: Call, error: HTTPException) -> Response:
        return plain.message("Not here", "There is no such page.", error.status_code)

    def no_such_thing(_call: Call, _error: Exception) -> Response:
        return plain.message("Not here", "There is no such thing.", 404)

    def did_not_work(_call: Call, error: Any) -> Response:
        return plain.message("That did not work", str(error), 400, "bad")

    errors: dict[type[Exception], ErrorHandler] = {
        HTTPException: not_here,
        **dict.fromkeys((Missing, KeyError), no_such_thing),
        **dict.fromkeys((ValueError, TypeError, NotAcceptable, NoAddon), did_not_work),
    }
    routes = [Operation(method, path, page) for method, path, page in pages]
    app = application([Mount(PREFIX, control_api(context)), *routes], errors)
    return Recorded(app, system="admin", ledger=context.state.ledger, caller=lambda call: call.ip)

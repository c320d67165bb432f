"""The simulated administration for a person: shops, products, orders, deliveries, what the targets hold, faults,
mails.

Each form is a call of the control API. Nothing of it is part of the add-on.
"""

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Mount
from starlette.types import ASGIApp

from upbridge_sandbox.asgi.call import Call
from upbridge_sandbox.asgi.middleware import Recorded
from upbridge_sandbox.asgi.routing import ErrorHandler, Operation, application
from upbridge_sandbox.control import PREFIX, control_api
from upbridge_sandbox.control.context import Context, Missing
from upbridge_sandbox.pages.forms import Forms
from upbridge_sandbox.pages.layout import Pages
from upbridge_sandbox.pages.mail import MailPages
from upbridge_sandbox.pages.shop_data import ShopDataPages
from upbridge_sandbox.pages.shops import ShopPages
from upbridge_sandbox.pages.targets import TargetPages


def admin_app(context: Context) -> ASGIApp:
    """Port P: `/control/...` is JSON, everything else is pages. It has no faults of its own."""
    plain, shops = Pages(context), ShopPages(context)
    data, targets, mail = ShopDataPages(context), TargetPages(context), MailPages(context)
    pages = (
        ("GET", "/", shops.home),
        ("GET", "/shops/{shop}", shops.shop),
        ("GET", "/shops/{shop}/deliveries", shops.deliveries),
        ("GET", "/shops/{shop}/products", data.products),
        ("GET", "/shops/{shop}/products/{id}", data.product),
        ("GET", "/shops/{shop}/orders", data.orders),
        ("GET", "/upp/{client}", targets.upp),
        ("GET", "/uphance/{org}", targets.uphance),
        ("GET", "/faults", targets.faults),
        ("GET", "/violations", targets.violations),
        ("GET", "/mail", mail.box),
        ("GET", "/mail/{id}", mail.one),
        ("GET", "/mail/{id}/html", mail.html),
    )

    def not_here(_call: Call, error: HTTPException) -> Response:
        return plain.message("Not here", "There is no such page.", error.status_code)

    def no_such_thing(_call: Call, _error: Exception) -> Response:
        return plain.message("Not here", "There is no such thing.", 404)

    def did_not_work(why: str, status: int) -> Response:
        return plain.message("That did not work", why, status, "bad")

    errors: dict[type[Exception], ErrorHandler] = {
        HTTPException: not_here,
        **dict.fromkeys((Missing, KeyError), no_such_thing),
    }
    routes = [Operation(method, path, page) for method, path, page in pages]
    app = application([Mount(PREFIX, Forms(control_api(context), did_not_work)), *routes], errors)
    return Recorded(app, system="admin", call_log=context.state.call_log, caller=lambda call: call.ip)

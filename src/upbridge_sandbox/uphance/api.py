"""The simulated Uphance API: a login, a hidden organisation, pages of a hundred, numbers as strings."""

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp

from upbridge_sandbox.asgi.call import Call
from upbridge_sandbox.asgi.middleware import too_many
from upbridge_sandbox.asgi.routing import Operation, application
from upbridge_sandbox.simulated import not_published, simulated
from upbridge_sandbox.state import State
from upbridge_sandbox.uphance import reading
from upbridge_sandbox.uphance.logins import Inside, Logins
from upbridge_sandbox.uphance.sales import NotAcceptable, UnknownField
from upbridge_sandbox.uphance.writing import Writing


def uphance_api(state: State) -> ASGIApp:
    """The ASGI application of the simulated Uphance."""
    logins, writing = Logins(state), Writing(state)
    inside: tuple[tuple[str, str, Inside], ...] = (
        ("GET", "/channels", reading.everything("channels")),
        ("GET", "/seasons", reading.everything("seasons")),
        ("GET", "/products", reading.products),
        ("POST", "/products", writing.create_product),
        ("GET", "/products/{id}", reading.single("product", "products")),
        ("PUT", "/products/{id}", writing.update_product),
        ("GET", "/customers", reading.customers),
        ("POST", "/customers", writing.create_customer),
        ("GET", "/customers/{id}", reading.single("customer", "customers")),
        ("GET", "/sales_orders", reading.orders),
        ("POST", "/sales_orders", writing.create_order),
        ("GET", "/sales_orders/{id}", reading.order),
        ("GET", "/pick_tickets", reading.tickets),
        ("GET", "/pick_tickets/{id}", reading.single("pick_ticket", "tickets")),
    )
    routes = [
        Operation("POST", "/oauth/token", logins.token),
        Operation("POST", "/oauth/revoke_tokens", logins.revoke),
        Operation("GET", "/organisations", logins.organisations),
        Operation("POST", "/organisations/set_current_org", logins.choose),
        *(Operation(method, path, logins.inside(handler)) for method, path, handler in inside),
    ]
    app = application(routes, {HTTPException: not_published, NotAcceptable: _not_acceptable})
    return simulated(
        "uphance", app, state, caller=lambda call: call.headers.get("authorization", ""), busy=too_many
    )


def _not_acceptable(call: Call, error: NotAcceptable) -> Response:
    call.violation("unknown-field" if isinstance(error, UnknownField) else "bad-body", str(error))
    return JSONResponse({"error": {"message": str(error)}}, 422)

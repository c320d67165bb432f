"""The simulated Upgates API, put together."""

from starlette.exceptions import HTTPException
from starlette.routing import Mount
from starlette.types import ASGIApp

from upbridge_sandbox.asgi.routing import Operation, application
from upbridge_sandbox.changes import Changes
from upbridge_sandbox.simulated import simulated
from upbridge_sandbox.state import State
from upbridge_sandbox.upgates.access_rules import PREFIX, AccessRules, CallerFirst, not_published
from upbridge_sandbox.upgates.orders import Orders
from upbridge_sandbox.upgates.products import Products
from upbridge_sandbox.upgates.settings import Settings
from upbridge_sandbox.upgates.subscriptions import Subscriptions


def upgates_api(state: State, changes: Changes) -> ASGIApp:
    """The ASGI application that answers `/api/v2`."""
    orders, products = Orders(state, changes), Products(changes)
    settings, hooks = Settings(state), Subscriptions(state)
    operations = (
        ("GET", "/owner", settings.owner),
        ("GET", "/languages", settings.languages),
        ("GET", "/pricelists", settings.pricelists),
        ("GET", "/config", settings.config),
        ("GET", "/order-statuses", settings.statuses),
        ("GET", "/shipments", settings.shipments),
        ("GET", "/payments", settings.payments),
        ("GET", "/status", settings.status),
        ("GET", "/webhooks/events", hooks.events),
        ("GET", "/webhooks", hooks.list),
        ("POST", "/webhooks", hooks.create),
        ("PUT", "/webhooks", hooks.update),
        ("DELETE", "/webhooks/{id}", hooks.delete),
        ("GET", "/orders", orders.list),
        ("PUT", "/orders", orders.put),
        ("GET", "/orders/{order_number}/history", orders.history),
        ("POST", "/orders/{order_number}/history", orders.add_history),
        ("GET", "/orders/{order_number}", orders.one),
        ("GET", "/products", products.complete),
        ("PUT", "/products", products.put),
        ("GET", "/products/parameters", products.parameters),
    )
    rules = AccessRules(state)
    routes = [
        Operation(method, path, rules.around(handler), prefix=PREFIX) for method, path, handler in operations
    ]
    app: ASGIApp = CallerFirst(application([Mount(PREFIX, routes=routes)], {HTTPException: not_published}), rules)
    return simulated("upgates", app, state, caller=rules.caller, busy=rules.busy)

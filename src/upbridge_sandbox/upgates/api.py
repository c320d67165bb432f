"""The simulated Upgates API, put together."""

from upbridge_sandbox.changes import Changes
from upbridge_sandbox.door import Door, Routes
from upbridge_sandbox.state import State
from upbridge_sandbox.upgates.access_rules import AccessRules
from upbridge_sandbox.upgates.orders import Orders
from upbridge_sandbox.upgates.products import Products
from upbridge_sandbox.upgates.settings import Settings
from upbridge_sandbox.upgates.subscriptions import Subscriptions


def upgates_api(state: State, changes: Changes) -> Door:
    """The ASGI application that answers `/api/v2`."""
    orders, products = Orders(state, changes), Products(state, changes)
    settings, hooks = Settings(state), Subscriptions(state)
    routes = Routes()
    routes.add("GET", "/owner", settings.owner)
    routes.add("GET", "/languages", settings.languages)
    routes.add("GET", "/pricelists", settings.pricelists)
    routes.add("GET", "/config", settings.config)
    routes.add("GET", "/order-statuses", settings.statuses)
    routes.add("GET", "/status", settings.status)
    routes.add("GET", "/webhooks/events", hooks.events)
    routes.add("GET", "/webhooks", hooks.list)
    routes.add("GET", "/webhooks/{id}", hooks.list)
    routes.add("POST", "/webhooks", hooks.create)
    routes.add("PUT", "/webhooks", hooks.update)
    routes.add("DELETE", "/webhooks", hooks.delete)
    routes.add("DELETE", "/webhooks/{id}", hooks.delete)
    routes.add("GET", "/orders", orders.list)
    routes.add("PUT", "/orders", orders.put)
    routes.add("GET", "/orders/{order_number}/history", orders.history)
    routes.add("POST", "/orders/{order_number}/history", orders.add_history)
    routes.add("GET", "/orders/{order_number}", orders.one)
    routes.add("GET", "/products", products.complete)
    routes.add("PUT", "/products", products.put)
    routes.add("GET", "/products/simple", products.simple)
    routes.add("GET", "/products/parameters", products.parameters)
    routes.add("GET", "/products/variants", products.variants)
    routes.add("GET", "/products/{code}", products.one)
    rules = AccessRules(state, routes)
    return Door(
        "upgates",
        rules.handle,
        ledger=state.ledger,
        faults=state.faults["upgates"],
        rng=state.rng,
        caller=rules.caller,
        busy=rules.busy,
        sleep=state.sleep,
    )

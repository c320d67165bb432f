"""Every call that we may make to Upgates, declared once (R47): the form in the Marketplace and the client read it.

The client takes an `Access`, never a method and a path, so a call that is not declared cannot be written. The
words are those of the Marketplace form (Marketplace, Add-on Development, API Accesses) and of the samples in
"Rules and Best practices". `upbridge accesses` prints the table.
"""

from upbridge.systems.accesses import Access, DeclaredCalls

PREFIX = "/api/v2"

_INSTALLING = "Only during installation and custom"
_BY_WEBHOOK = "Custom -> Based on webhook"
_LISTED = f"{_BY_WEBHOOK}; once a day; once where an order or a product names one that is not known"
_WATCHED = f"{_BY_WEBHOOK}; once a day"
_NEW_VERSION = "Custom -> During add-on installation and transition to a new version"


GET_OWNER = Access(
    name="get_owner",
    section="Owner",
    method="GET",
    path="/owner",
    frequency=_INSTALLING,
    repetitions=_NEW_VERSION,
    webhook=False,
    description="Pairs the e-shop with its account in the add-on; shown on the start page. Kept, not asked again.",
    service="owner",
)
GET_LANGUAGES = Access(
    name="get_languages",
    section="Languages",
    method="GET",
    path="/languages",
    frequency=_INSTALLING,
    repetitions=_LISTED,
    webhook=True,
    description="Languages and their currencies, to choose texts and prices. Kept until a webhook says otherwise.",
    service="languages",
)
GET_PRICELISTS = Access(
    name="get_pricelists",
    section="Pricelists",
    method="GET",
    path="/pricelists",
    frequency=_INSTALLING,
    repetitions=_LISTED,
    webhook=True,
    description="Names of the price lists, to choose which prices go out. Kept until a webhook says otherwise.",
    service="pricelists",
)
GET_CONFIG = Access(
    name="get_config",
    section="Config",
    method="GET",
    path="/config",
    frequency=_INSTALLING,
    repetitions=f"{_NEW_VERSION}, with a change of languages or price lists, and once a day",
    webhook=False,
    description="Whether the owner pays VAT and whether prices are kept with it, for sums with and without VAT.",
    service="config",
)
GET_ORDER_STATUSES = Access(
    name="get_order_statuses",
    section="Order statuses",
    method="GET",
    path="/order-statuses",
    frequency=_INSTALLING,
    repetitions=_LISTED,
    webhook=True,
    description="Which status means received, paid, sent, canceled. Kept until a webhook says otherwise.",
    service="order-statuses",
)
GET_SHIPMENTS = Access(
    name="get_shipments",
    section="Shipments",
    method="GET",
    path="/shipments",
    frequency=_INSTALLING,
    repetitions=_WATCHED,
    webhook=True,
    description="Ids and names of the ways of delivery, so that a new one is told before an order has it.",
    service="shipments",
)
GET_PAYMENTS = Access(
    name="get_payments",
    section="Payments",
    method="GET",
    path="/payments",
    frequency=_INSTALLING,
    repetitions=_WATCHED,
    webhook=True,
    description="Ids and names of the ways to pay, so that a new one is told before an order has it.",
    service="payments",
)
GET_STATUS = Access(
    name="get_status",
    section="API status",
    method="GET",
    path="/status",
    frequency=_INSTALLING,
    repetitions=f"{_NEW_VERSION}; once a day; once after a deactivation; at most hourly while access is refused",
    webhook=False,
    description="Which rights were granted; after a deactivation one call that confirms it.",
)
GET_WEBHOOKS = Access(
    name="get_webhooks",
    section="Webhooks",
    method="GET",
    path="/webhooks",
    frequency=_INSTALLING,
    repetitions=f"{_NEW_VERSION}; once a day",
    webhook=False,
    description="Check before creating webhooks; once a day whether they are still active.",
)
GET_WEBHOOK_EVENTS = Access(
    name="get_webhook_events",
    section="Webhooks",
    method="GET",
    path="/webhooks/events",
    frequency=_INSTALLING,
    repetitions=f"{_NEW_VERSION}; once a day",
    webhook=False,
    description="The names of the events and whether they are allowed.",
)
POST_WEBHOOKS = Access(
    name="post_webhooks",
    section="Webhooks",
    method="POST",
    path="/webhooks",
    frequency=_INSTALLING,
    repetitions=_NEW_VERSION,
    webhook=False,
    description="Creates the webhooks of orders, products, order statuses, languages, price lists, shipments and"
    " payments.",
)
PUT_WEBHOOKS = Access(
    name="put_webhooks",
    section="Webhooks",
    method="PUT",
    path="/webhooks",
    frequency="Custom",
    repetitions="Custom -> When one of our webhooks was deactivated",
    webhook=False,
    description="Restores a webhook of ours that was deactivated.",
)
DELETE_WEBHOOK = Access(
    name="delete_webhook",
    section="Webhooks",
    method="DELETE",
    path="/webhooks/{id}",
    frequency="Custom",
    repetitions="Custom -> When one of our webhooks is out of date",
    webhook=False,
    description="Removes a webhook of ours whose address or event is no longer used.",
)
GET_ORDERS = Access(
    name="get_orders",
    section="Orders",
    method="GET",
    path="/orders",
    frequency=_INSTALLING,
    repetitions=f"{_BY_WEBHOOK}; once a day a check by last_update_time_from",
    webhook=True,
    description="Once the orders of the last days at activation, page by page; then those that a webhook names,"
    " many in one call. The daily check finds what no webhook announced.",
    service="orders",
)
GET_ORDER = Access(
    name="get_order",
    section="Orders",
    method="GET",
    path="/orders/{order_number}",
    frequency="Custom",
    repetitions=_BY_WEBHOOK,
    webhook=True,
    description="One order whose number holds a semicolon, which separates the numbers in a list.",
    service="orders",
)
PUT_ORDERS = Access(
    name="put_orders",
    section="Orders",
    method="PUT",
    path="/orders",
    frequency="Custom",
    repetitions="Custom -> When orders are shipped",
    webhook=False,
    description="Returns order status, tracking code and external order number; up to 100 orders in one call.",
    service="orders",
)
POST_ORDER_HISTORY = Access(
    name="post_order_history",
    section="Orders",
    method="POST",
    path="/orders/{order_number}/history",
    frequency="Custom",
    repetitions="Custom -> When an order is shipped",
    webhook=False,
    description="Notes carrier and parcels of a shipment in the history of the order.",
    service="orders",
)
GET_ORDER_HISTORY = Access(
    name="get_order_history",
    section="Orders",
    method="GET",
    path="/orders/{order_number}/history",
    frequency="Custom",
    repetitions="Custom -> When the answer to a note in the history was lost",
    webhook=False,
    description="Whether a note about a shipment is there already, so that it is never written twice.",
    service="orders",
)
GET_PRODUCTS = Access(
    name="get_products",
    section="Products",
    method="GET",
    path="/products",
    frequency=_INSTALLING,
    repetitions=f"{_BY_WEBHOOK}; once a day a check by last_update_time_from",
    webhook=True,
    description="Once all active products at activation, page by page; then those that a webhook names, by id,"
    " many in one call. The daily check finds what no webhook announced.",
    service="products",
)
GET_PRODUCT_PARAMETERS = Access(
    name="get_product_parameters",
    section="Parameters and Related",
    method="GET",
    path="/products/parameters",
    frequency=_INSTALLING,
    repetitions="Custom -> Based on webhook (Products.create, Products.update); once a day",
    webhook=True,
    description="Colour and size of variants, only in shops that chose to send them; many products in one call."
    " Once a day one page, to name the parameters that such a shop may choose.",
    service="products",
)
PUT_PRODUCTS = Access(
    name="put_products",
    section="Products",
    method="PUT",
    path="/products",
    frequency="Custom",
    repetitions="Custom -> When stock changes in the warehouse system",
    webhook=False,
    description="Writes changed stock, and nothing else, in shops that chose so; up to 100 items a call.",
    service="products",
)

ACCESSES: tuple[Access, ...] = (
    GET_ORDERS,
    GET_ORDER,
    PUT_ORDERS,
    POST_ORDER_HISTORY,
    GET_ORDER_HISTORY,
    GET_ORDER_STATUSES,
    GET_PRODUCTS,
    GET_PRODUCT_PARAMETERS,
    PUT_PRODUCTS,
    GET_OWNER,
    GET_LANGUAGES,
    GET_PRICELISTS,
    GET_CONFIG,
    GET_SHIPMENTS,
    GET_PAYMENTS,
    GET_STATUS,
    GET_WEBHOOKS,
    GET_WEBHOOK_EVENTS,
    POST_WEBHOOKS,
    PUT_WEBHOOKS,
    DELETE_WEBHOOK,
)

DECLARED = DeclaredCalls(PREFIX, ACCESSES)

"""Uphance, as the rest of the house sees it."""

from upbridge.systems.base import Flow, Persons, SetupStep, System
from upbridge.systems.uphance.basis import mapping_basis
from upbridge.systems.uphance.connect import UphanceConnect, account_name, is_mapped, markets_without_channel
from upbridge.systems.uphance.customer_mapping import customer_keys
from upbridge.systems.uphance.decisions import DECISIONS
from upbridge.systems.uphance.new_names import new_names
from upbridge.systems.uphance.order_fingerprint import without_person
from upbridge.systems.uphance.probe import UphanceTrial
from upbridge.systems.uphance.product_push import products_made
from upbridge.systems.uphance.resource_types import CUSTOMERS, PRODUCTS
from upbridge.systems.uphance.settings import SETTINGS
from upbridge.systems.uphance.source import SOURCE
from upbridge.systems.uphance.target import UphanceTarget
from upbridge.systems.uphance.write_back import UphanceWriteBack

UPHANCE = System(
    name="uphance",
    title="Uphance",
    url=lambda settings: settings.uphance_url,
    order_url=lambda settings: settings.uphance_order_url,
    settings=SETTINGS,
    connect=UphanceConnect(),
    target=lambda tools: UphanceTarget.stored(
        http=tools.http, base_url=tools.settings.uphance_url, engine=tools.engine, clock=tools.clock
    ),
    trial=UphanceTrial.of,
    source=SOURCE,
    flows=(
        Flow(kind="product", setting="uphance.create_products", shown=False),
        Flow(kind="order", setting="uphance.send_orders"),
        Flow(kind="stock", setting="stock.write", back=True),
        Flow(kind="shipment", setting="shipments.write", back=True),
    ),
    write_back=UphanceWriteBack(),
    after_delivery={PRODUCTS.kind: products_made},
    account_name=account_name,
    steps=(
        SetupStep(name="mapped", page="rules#uphance.channels", done=is_mapped, missing=markets_without_channel),
        SetupStep(
            name="stock", page="rules#stock.write", done=lambda setup: "stock.write" in setup.shop.settings.chosen
        ),
    ),
    mapping_basis=mapping_basis,
    new_names=new_names,
    parameters_setting="uphance.create_products",
    has_skus=True,
    resolutions={
        "order.no_channel": "rules#uphance.channels",
        "order.no_season": "rules#uphance.season",
        "order.no_customer": "rules#uphance.customer_mode",
        "order.manual_line": "rules#uphance.services",
        "order.unknown_sku": "products?show=unmatched",
        "order.ambiguous_sku": "products?show=doubled",
        "product.no_size": "rules#uphance.color_parameter",
        "carrier.no_row": "rules#uphance.carriers",
        "payment.no_row": "rules#uphance.payment_terms",
        "status.not_chosen": "rules#uphance.order_statuses",
        "status.several_shipped": "rules#shipments.status",
        "stock.several": "rules#stock.write",
        "stock.guard": "rules#stock.guard_percent",
    },
    persons=Persons(
        links=lambda shop_key, email, customer_id: [
            (CUSTOMERS.kind, key) for key in customer_keys(shop_key, email, customer_id)
        ],
        forget=without_person,
    ),
    agreed_once=("stock.several",),
    decisions=DECISIONS,
    not_retried=("order.taxed_otherwise", "stock.ambiguous", "stock.no_code"),
)

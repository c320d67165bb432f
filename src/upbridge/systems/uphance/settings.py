"""The settings of a shop that are about Uphance and what comes back from it, in the order of the settings page."""

from upbridge.domain.mass_change import LARGE
from upbridge.domain.order import ORIGINS
from upbridge.domain.platform import PLATFORM
from upbridge.domain.shop_settings import (
    REMOTE_ID,
    Choice,
    Declared,
    Many,
    Mode,
    Moment,
    PerChoice,
    PerMarket,
    Setting,
    ShopList,
    Text,
    Whole,
    YesNo,
)

_UPHANCE = "uphance"
#: What stock and shipments are written to.
_SHOP = PLATFORM

SETTINGS: Declared = {
    "uphance.send_orders": Setting(
        type=YesNo(), default=True, affects=_UPHANCE, rereads=("order",), group="orders"
    ),
    "uphance.order_statuses": Setting(
        type=Many(REMOTE_ID),
        default=None,
        affects=_UPHANCE,
        rereads=("order",),
        group="orders",
        offers=ShopList.STATUSES,
    ),
    "uphance.origins": Setting(
        type=Many(Choice(ORIGINS)), default=list(ORIGINS), affects=_UPHANCE, rereads=("order",), group="orders"
    ),
    "uphance.orders_from": Setting(
        type=Moment(), default=None, affects=_UPHANCE, rereads=("order",), group="orders"
    ),
    "uphance.customer_mode": Setting(
        type=Mode("per_shopper", numbered="collective", of="customer id"),
        default="per_shopper",
        affects=_UPHANCE,
        group="orders",
    ),
    "uphance.channels": Setting(type=PerMarket(), default={}, affects=_UPHANCE, group="money", offers="channels"),
    "uphance.prices_with_tax": Setting(type=YesNo(), default=False, affects=_UPHANCE, group="money"),
    "uphance.payment_term": Setting(type=Text(), default=None, affects=_UPHANCE, group="money"),
    "uphance.payment_terms": Setting(
        type=PerChoice(), default={}, affects=_UPHANCE, group="money", offers=ShopList.PAYMENTS
    ),
    "uphance.carriers": Setting(
        type=PerChoice(), default={}, affects=_UPHANCE, group="orders", offers=ShopList.CARRIERS
    ),
    "uphance.services": Setting(type=Many(Text()), default=[], affects=_UPHANCE, group="money"),
    "uphance.season": Setting(type=REMOTE_ID, default=None, affects=_UPHANCE, group="products", offers="seasons"),
    "uphance.warehouse": Setting(type=Text(), default=None, affects=_UPHANCE, group="products"),
    "uphance.create_products": Setting(
        type=YesNo(),
        default=False,
        affects=_UPHANCE,
        rereads=("product",),
        needs=("uphance.color_parameter", "uphance.size_parameter"),
        group="products",
    ),
    "uphance.color_parameter": Setting(
        type=Text(), default=None, affects=_UPHANCE, rereads=("product",), group="products"
    ),
    "uphance.size_parameter": Setting(
        type=Text(), default=None, affects=_UPHANCE, rereads=("product",), group="products"
    ),
    "stock.write": Setting(type=YesNo(undecided=True), default=False, affects=_SHOP, group="stock"),
    "stock.quantity": Setting(
        type=Choice(("available_to_sell_from_stock", "in_stock", "available_to_sell")),
        default="available_to_sell_from_stock",
        affects=_SHOP,
        group="stock",
    ),
    "stock.drafts_reserve": Setting(type=YesNo(), default=False, affects=_SHOP, group="stock"),
    "stock.safety": Setting(type=Whole(0, 1_000_000), default=0, affects=_SHOP, group="stock"),
    "stock.guard_percent": Setting(type=Whole(0, 100), default=LARGE, affects=_SHOP, group="stock"),
    "shipments.write": Setting(type=YesNo(), default=True, affects=_SHOP, group="shipments"),
    "shipments.status": Setting(
        type=REMOTE_ID, default=None, affects=_SHOP, group="shipments", offers=ShopList.STATUSES
    ),
    "shipments.notify": Setting(type=YesNo(), default=False, affects=_SHOP, group="shipments"),
}

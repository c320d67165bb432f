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
from upbridge.domain.statuses import ENDED, READY, SHIPPED

_UPHANCE = "uphance"
#: What switches a flow: without it the settings beside it do nothing.
_SEND, _STOCK, _SHIPMENTS, _CREATE = (
    "uphance.send_orders",
    "stock.write",
    "shipments.write",
    "uphance.create_products",
)
#: What stock and shipments are written to.
_SHOP = PLATFORM
#: Which parameter of the shop's variants says their colour, or their size, when a product is made.
_PARAMETER = Setting(
    type=Text(),
    default=None,
    affects=_UPHANCE,
    rereads=("product",),
    group="goods",
    under=_CREATE,
    offers=ShopList.PARAMETERS,
    beyond=True,
)

SETTINGS: Declared = {
    _SEND: Setting(type=YesNo(), default=True, affects=_UPHANCE, rereads=("order",), group="orders"),
    "uphance.order_statuses": Setting(
        type=Many(REMOTE_ID),
        default=None,
        affects=_UPHANCE,
        rereads=("order",),
        group="orders",
        under=_SEND,
        offers=ShopList.STATUSES,
        status_types=READY,
        odd_status_types=tuple(sorted(ENDED)),
    ),
    "uphance.origins": Setting(
        type=Many(Choice(ORIGINS)),
        default=list(ORIGINS),
        affects=_UPHANCE,
        rereads=("order",),
        group="orders",
        under=_SEND,
    ),
    "uphance.orders_from": Setting(
        type=Moment(), default=None, affects=_UPHANCE, rereads=("order",), group="orders", under=_SEND
    ),
    "uphance.channels": Setting(
        type=PerMarket(), default={}, affects=_UPHANCE, group="orders", under=_SEND, offers="channels"
    ),
    "uphance.season": Setting(type=REMOTE_ID, default=None, affects=_UPHANCE, group="goods", offers="seasons"),
    "uphance.services": Setting(type=Many(Text()), default=[], affects=_UPHANCE, group="goods"),
    _CREATE: Setting(
        type=YesNo(),
        default=False,
        affects=_UPHANCE,
        rereads=("product",),
        needs=("uphance.color_parameter", "uphance.size_parameter"),
        group="goods",
    ),
    "uphance.color_parameter": _PARAMETER,
    "uphance.size_parameter": _PARAMETER,
    "uphance.warehouse": Setting(
        type=Text(), default=None, affects=_UPHANCE, group="delivery", offers="warehouses", beyond=True
    ),
    "uphance.carriers": Setting(
        type=PerChoice(), default={}, affects=_UPHANCE, group="delivery", offers=ShopList.CARRIERS
    ),
    "uphance.payment_term": Setting(
        type=Text(), default=None, affects=_UPHANCE, group="delivery", offers="payment_terms", beyond=True
    ),
    "uphance.payment_terms": Setting(
        type=PerChoice(),
        default={},
        affects=_UPHANCE,
        group="delivery",
        offers=ShopList.PAYMENTS,
        among="payment_terms",
        beyond=True,
    ),
    _STOCK: Setting(type=YesNo(undecided=True), default=False, affects=_SHOP, group="stock"),
    "stock.quantity": Setting(
        type=Choice(("available_to_sell_from_stock", "in_stock", "available_to_sell")),
        default="available_to_sell_from_stock",
        affects=_SHOP,
        group="stock",
        under=_STOCK,
    ),
    "stock.drafts_reserve": Setting(type=YesNo(), default=False, affects=_SHOP, group="stock", under=_STOCK),
    "stock.safety": Setting(type=Whole(0, 1_000_000), default=0, affects=_SHOP, group="stock", under=_STOCK),
    "stock.guard_percent": Setting(type=Whole(0, 100), default=LARGE, affects=_SHOP, group="stock", under=_STOCK),
    _SHIPMENTS: Setting(type=YesNo(), default=True, affects=_SHOP, group="shipments"),
    "shipments.status": Setting(
        type=REMOTE_ID,
        default=None,
        affects=_SHOP,
        group="shipments",
        under=_SHIPMENTS,
        offers=ShopList.STATUSES,
        status_types=(SHIPPED,),
    ),
    "shipments.notify": Setting(type=YesNo(), default=False, affects=_SHOP, group="shipments", under=_SHIPMENTS),
    "uphance.customer_mode": Setting(
        type=Mode("per_shopper", numbered="collective", of="customer id"),
        default="per_shopper",
        affects=_UPHANCE,
        group="advanced",
    ),
    "uphance.prices_with_tax": Setting(type=YesNo(), default=False, affects=_UPHANCE, group="advanced"),
}

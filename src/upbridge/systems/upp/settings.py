"""The settings of a shop that are about Upp.ai, in the order of the settings page."""

from upbridge.domain.mass_change import LARGE
from upbridge.domain.order import ORIGINS
from upbridge.domain.shop_settings import Choice, Declared, Many, Setting, ShopList, Text, Whole, YesNo

_UPP = "upp"
#: Without it nothing is sent, and the other settings do nothing.
_SEND = "upp.send"

SETTINGS: Declared = {
    _SEND: Setting(type=YesNo(), default=True, affects=_UPP, rereads=("product", "order"), group="orders"),
    "upp.origins": Setting(
        type=Many(Choice(ORIGINS)),
        default=["frontend"],
        affects=_UPP,
        rereads=("order",),
        group="orders",
        under=_SEND,
    ),
    "upp.order_days": Setting(
        type=Whole(0, 3650), default=30, affects=_UPP, rereads=("order",), group="orders", under=_SEND
    ),
    "upp.pricelist": Setting(
        type=Text(),
        default=None,
        affects=_UPP,
        rereads=("product",),
        group="goods",
        under=_SEND,
        offers=ShopList.PRICELISTS,
    ),
    "upp.language": Setting(
        type=Text(),
        default=None,
        affects=_UPP,
        rereads=("product",),
        group="goods",
        under=_SEND,
        offers=ShopList.LANGUAGES,
    ),
    "upp.variant_titles": Setting(
        type=YesNo(), default=False, affects=_UPP, rereads=("product",), group="goods", under=_SEND
    ),
    "upp.sku_from": Setting(
        type=Choice(("code", "ean", "id")),
        default="code",
        affects=_UPP,
        rereads=("product", "order"),
        group="advanced",
    ),
    "upp.purchase_vat": Setting(
        type=Choice(("shop", "with", "without")),
        default="shop",
        affects=_UPP,
        rereads=("product",),
        group="advanced",
    ),
    "upp.guard_percent": Setting(type=Whole(0, 100), default=LARGE, affects=_UPP, group="goods", under=_SEND),
}

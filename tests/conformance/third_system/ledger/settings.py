"""The settings of a shop that are about Ledger."""

from upbridge.domain.order import ORIGINS
from upbridge.domain.shop_settings import Choice, Declared, Many, Setting, YesNo

SETTINGS: Declared = {
    "ledger.send": Setting(
        type=YesNo(), default=True, affects="ledger", rereads=("product", "order"), group="orders"
    ),
    "ledger.origins": Setting(
        type=Many(Choice(ORIGINS)), default=list(ORIGINS), affects="ledger", rereads=("order",), group="orders"
    ),
}

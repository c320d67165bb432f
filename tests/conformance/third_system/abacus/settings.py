"""The settings of a shop that are about Abacus."""

from upbridge.domain.order import ORIGINS
from upbridge.domain.shop_settings import Choice, Declared, Many, Setting, YesNo

SETTINGS: Declared = {
    "abacus.send": Setting(
        type=YesNo(), default=True, affects="abacus", rereads=("product", "order"), group="orders"
    ),
    "abacus.origins": Setting(
        type=Many(Choice(ORIGINS)), default=list(ORIGINS), affects="abacus", rereads=("order",), group="orders"
    ),
}

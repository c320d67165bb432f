"""The settings of a shop itself: who hears of it by mail, and how many calls its API allows."""

from upbridge.domain.shop_settings import BUDGET, NOTIFY, Choice, Declared, Email, Hours, Setting, ShopList, Whole
from upbridge.rate_limits.windows import MAX_PACKAGES, TARIFFS

SETTINGS: Declared = {
    "notify.email": Setting(type=Email(), default=None, affects=NOTIFY, group="notify", offers=ShopList.OWNER),
    "notify.digest": Setting(
        type=Choice(("off", "daily", "weekly")), default="off", affects=NOTIFY, group="notify"
    ),
    "notify.quiet": Setting(type=Hours(), default="21-7", affects=NOTIFY, group="notify"),
    "budget.tariff": Setting(type=Choice(tuple(TARIFFS)), default=None, affects=BUDGET, group="advanced"),
    "budget.packages": Setting(type=Whole(0, MAX_PACKAGES), default=0, affects=BUDGET, group="advanced"),
}

"""The settings of a shop that are about Upgates itself: how many calls its API allows."""

from upbridge.domain.shop_settings import BUDGET, Choice, Declared, Setting, Whole
from upbridge.rate_limits.windows import MAX_PACKAGES, TARIFFS

SETTINGS: Declared = {
    "budget.tariff": Setting(type=Choice(tuple(TARIFFS)), default=None, affects=BUDGET, group="calls"),
    "budget.packages": Setting(type=Whole(0, MAX_PACKAGES), default=0, affects=BUDGET, group="calls"),
}

"""Upgates, as the rest of the house sees it."""

from upbridge.systems.base import System
from upbridge.systems.upgates.settings import SETTINGS

UPGATES = System(
    name="upgates", title="Upgates", settings=SETTINGS, not_retried=("shop.no_right", "shop.webhooks_inactive")
)

"""Upgates, as the rest of the house sees it."""

from upbridge.domain.platform import PLATFORM
from upbridge.systems.base import System
from upbridge.systems.upgates.settings import SETTINGS
from upbridge.systems.upgates.url_policy import admin_url

UPGATES = System(
    name=PLATFORM,
    title="Upgates",
    settings=SETTINGS,
    admin_url=admin_url,
    not_retried=("shop.no_right", "shop.webhooks_inactive"),
)

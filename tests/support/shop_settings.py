"""A shop's settings as a test chooses them."""

from collections.abc import Mapping
from typing import Any

from upbridge.domain.shop_settings import ShopSettings
from upbridge.systems.registry import SYSTEMS


def make_settings(chosen: Mapping[str, Any] | None = None) -> ShopSettings:
    """The settings of a shop that has chosen these values, and nothing else."""
    return ShopSettings(SYSTEMS.settings, chosen or {})

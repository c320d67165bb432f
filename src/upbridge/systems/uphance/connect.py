"""How a shop is connected to Uphance, and what remains to be chosen then."""

from collections.abc import Sequence

from upbridge.domain.shop_profile import ShopProfile
from upbridge.store.connections import ConnectionRow
from upbridge.systems.base import Setup


def account_name(connection: ConnectionRow) -> str:
    """The organisation."""
    return str((connection.facts.get("organisation") or {}).get("name") or connection.account)


def is_mapped(setup: Setup) -> bool:
    """Whether each market of the shop has its channel."""
    return bool(setup.shop.facts) and setup.works and not markets_without_channel(setup)


def markets_without_channel(setup: Setup) -> Sequence[str]:
    """Languages with their currency ("cs/CZK") for which no channel is chosen, nor the only one."""
    if setup.connection is None:
        return ()
    offered = [channel.get("currency") for channel in setup.connection.facts.get("channels") or ()]
    chosen = setup.shop.settings.get("uphance.channels")
    return tuple(
        f"{language}/{currency}"
        for language, currency in ShopProfile.model_validate(setup.shop.facts or {}).currencies.items()
        if f"{language}/{currency}" not in chosen and offered.count(currency) != 1
    )

"""Upgates, as the rest of the house sees it."""

from upbridge.domain.platform import PLATFORM
from upbridge.settings import Settings
from upbridge.systems.base import System, Target
from upbridge.systems.platform import ShopAccess, ShopApi
from upbridge.systems.upgates.accesses import DECLARED
from upbridge.systems.upgates.client import UpgatesClient
from upbridge.systems.upgates.settings import SETTINGS
from upbridge.systems.upgates.target import UpgatesTarget
from upbridge.systems.upgates.transport import Account
from upbridge.systems.upgates.url_policy import HostPolicy, admin_url, product_url


def _policy(settings: Settings) -> HostPolicy:
    return HostPolicy(settings.upgates_hosts, allow_insecure=settings.allow_insecure)


def _open(access: ShopAccess) -> tuple[ShopApi, Target]:
    tools, ours = access.tools, access.tools.settings
    client = UpgatesClient(
        http=tools.http,
        ledger=access.ledger,
        account=Account(
            shop_id=access.shop_id, api_url=access.api_url, api_user=access.api_user, api_key=access.api_key
        ),
        clock=tools.clock,
        policy=_policy(ours),
        on_moved=access.on_moved,
        prices_with_vat=access.facts.prices_with_vat,
        limit_orders=access.facts.limit_orders,
        rights=access.facts.rights,
    )
    return client, UpgatesTarget(client, tools.clock)


UPGATES = System(
    name=PLATFORM,
    title="Upgates",
    settings=SETTINGS,
    open_shop=_open,
    declared_calls=DECLARED,
    address_policy=_policy,
    admin_url=admin_url,
    product_url=product_url,
    not_retried=("shop.no_right", "shop.webhooks_inactive"),
)

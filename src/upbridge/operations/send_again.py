"""What a person can do about an order of which no system asks anything: have it compared with the shop again."""

from upbridge.domain.lane import Lane
from upbridge.domain.shop import Shop
from upbridge.engine.context import Service
from upbridge.store.changes import Kind, Origin, mark_changed


async def send_again(service: Service, shop: Shop, number: str) -> None:
    """Read the order *number* of *shop* again: what a system should hold and does not is sent."""
    source = service.systems.platform.name
    async with service.engine.begin() as tx:
        await mark_changed(tx, shop.id, source, Kind.ORDER, [number], origin=Origin.SETTINGS, now=service.clock())
    await service.wake(Lane.pull(shop.id, source))

"""What stands by now under the numbers that orders had when they were sent: asked for beside the orders."""

from collections.abc import Collection
from dataclasses import replace

from sqlalchemy.ext.asyncio import AsyncEngine

from upbridge.domain.order import Order
from upbridge.domain.purpose import Purpose
from upbridge.domain.shop import Shop
from upbridge.engine.answers import read_of
from upbridge.engine.identity import sent_under_other_numbers
from upbridge.engine.planner import ReadBatch
from upbridge.store.session import reading
from upbridge.systems.platform import ShopApi


async def with_former_numbers(
    engine: AsyncEngine, shop: Shop, client: ShopApi, read: ReadBatch, *, purpose: Purpose
) -> tuple[ReadBatch, Collection[str]]:
    """*read* with what the shop has now under other numbers under which the targets were given its orders, and
    those of these numbers that are gone: the shop says so itself, because their orders are elsewhere.

    One call more, and only where an order has another number. Raises what the call raises.
    """
    orders = [one for one in read.entities if isinstance(one, Order)]
    if not orders:
        return read, ()
    async with reading(engine) as tx:
        numbers = await sent_under_other_numbers(tx, shop.id, orders)
    if not numbers:
        return read, ()
    former = read_of("order", await client.orders_by_numbers(numbers, purpose=purpose), asked=numbers)
    together = replace(
        read,
        entities=[*read.entities, *former.entities],
        broken=[*read.broken, *former.broken],
        missing=sorted({*read.missing, *former.missing}),
    )
    return together, former.missing

"""`upbridge shops pair` and `unpair`: which variant is which SKU, said by a person."""

from typing import Annotated

import typer

from upbridge.cli.common import ShopName, out, with_container
from upbridge.core.errors import NotFound
from upbridge.operations.pairing import called
from upbridge.worker_container import WorkerContainer

Key = Annotated[str, typer.Argument(metavar="VARIANT", help="Its key: v-4711, or p-12 without variants.")]


def register(app: typer.Typer) -> None:
    """Add the commands to `upbridge shops`."""
    app.command()(pair)
    app.command()(unpair)


def pair(
    shop: ShopName,
    variant: Key,
    sku: Annotated[str, typer.Argument(metavar="SKU", help="Its number, EAN or name, if that finds one alone.")],
) -> None:
    """Pair a variant of the shop with a SKU by hand; that goes before what codes and EANs say."""

    async def work(container: WorkerContainer) -> str:
        found = await container.shops.find(shop)
        skus = await container.pairing.search(found, sku, most=2)
        if len(skus) != 1:
            raise NotFound(f"{sku} finds {'several SKUs' if skus else 'no SKU'}")
        return called(await container.pairing.pair(found, variant, skus[0].sku_id))

    out.print(f"{variant} is {with_container(work)} from now on.")


def unpair(shop: ShopName, variant: Key) -> None:
    """Let codes and EANs decide again which SKU a variant is."""

    async def work(container: WorkerContainer) -> bool:
        return await container.pairing.unpair(await container.shops.find(shop), variant)

    out.print(f"{variant} was paired, and is no more." if with_container(work) else f"{variant} was not paired.")

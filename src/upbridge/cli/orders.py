"""`upbridge orders …`: every known order, where it is and why."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from upbridge.cli.common import Json, ShopName, out, print_rows, stream_json, with_container
from upbridge.insights.order_list import Box, ListedOrder, listed_orders, matches
from upbridge.worker_container import WorkerContainer

app = typer.Typer(help="Every known order: where it is, and why.")


@app.callback()
def _orders() -> None:
    """Every known order: where it is, and why."""


@app.command("list")
def list_orders(
    shop: ShopName,
    *,
    box: Annotated[Box | None, typer.Option(help="Only orders that are there in one of the systems.")] = None,
    reason: Annotated[str, typer.Option(help="Only orders that are somewhere for this reason.")] = "",
    since: Annotated[datetime | None, typer.Option(help="Only orders that were made from then on (UTC).")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="No more than so many.")] = None,
    json: Json = False,
) -> None:
    """Every order that was read in the last 90 days, newest first, with its box in each system and the reason;
    before them those that were announced and are not read yet."""
    boxes, reasons = ([] if box is None else [str(box)]), ([reason] if reason else [])

    async def rows(container: WorkerContainer) -> AsyncGenerator[dict[str, Any], None]:
        found, number = await container.shops.find(shop), 0
        listed = listed_orders(
            container.engine,
            found.id,
            platform=container.systems.platform.name,
            systems=sorted(await container.connections.of(found.id)),
            since=since.replace(tzinfo=UTC) if since is not None and since.tzinfo is None else since,
        )
        async with aclosing(listed):
            async for one in listed:
                if matches(one, boxes=boxes, reasons=reasons):
                    yield _row(one)
                    number += 1
                    if number == limit:
                        return

    async def work(container: WorkerContainer) -> list[dict[str, Any]]:
        async with aclosing(rows(container)) as found:
            if json:
                await stream_json(found)
                return []
            return [row async for row in found]

    shown = with_container(work)
    if json:
        return
    people = [
        {
            "number": row["number"],
            "ordered_at": row["ordered_at"] or "not read yet",
            "where": [
                f"{one['system']}: {one['box']}" + (f" ({one['reason']})" if one["reason"] else "")
                for one in row["systems"]
            ],
        }
        for row in shown
    ]
    print_rows(
        people, columns=("number", "ordered_at", "where"), wrapped=("where",), empty="No such order is known."
    )


def _row(one: ListedOrder) -> dict[str, Any]:
    return {
        "number": one.number,
        "ordered_at": one.ordered_at,
        "systems": [
            {"system": place.system, "box": str(place.box), "reason": place.reason} for place in one.places
        ],
    }


@app.command("again")
def send_again(
    shop: ShopName,
    *,
    order: Annotated[str, typer.Option(help="The number of an order.")] = "",
    product: Annotated[int | None, typer.Option(help="The shop's id of a product.")] = None,
    day: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="All orders of a day.")] = None,
) -> None:
    """Compare an order, a product, or the orders of a day with the shop again: what differs somewhere is sent."""
    if not (order or product or day):
        raise typer.BadParameter("--order, --product or --day", param_hint="what")

    async def work(container: WorkerContainer) -> int:
        found, again, count = await container.shops.find(shop), container.send_again, 0
        if order:
            await again.order(found, order)
            count += 1
        if product is not None:
            await again.product(found, str(product))
            count += 1
        return count + (await again.day(found, day.date()) if day is not None else 0)

    out.print(f"{with_container(work)} will be compared with the shop again.")

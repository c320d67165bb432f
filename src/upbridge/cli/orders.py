"""`upbridge orders …`: every known order, where it is and why."""

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from upbridge.cli.common import Json, ShopName, print_json, print_rows, with_container
from upbridge.insights.order_list import Box, listed_orders, matches
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
    json: Json = False,
) -> None:
    """Every order that was read in the last 90 days, newest first, with its box in each system and the reason;
    before them those that were announced and are not read yet."""
    boxes, reasons = ([] if box is None else [str(box)]), ([reason] if reason else [])

    async def work(container: WorkerContainer) -> list[dict[str, Any]]:
        found = await container.shops.find(shop)
        listed = listed_orders(
            container.engine,
            found.id,
            platform=container.systems.platform.name,
            systems=sorted(await container.connections.of(found.id)),
            since=since.replace(tzinfo=UTC) if since is not None and since.tzinfo is None else since,
        )
        return [
            {
                "number": one.number,
                "ordered_at": one.ordered_at,
                "systems": [
                    {"system": place.system, "box": str(place.box), "reason": place.reason} for place in one.places
                ],
            }
            async for one in listed
            if matches(one, boxes=boxes, reasons=reasons)
        ]

    rows = with_container(work)
    if json:
        print_json(rows)
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
        for row in rows
    ]
    print_rows(
        people, columns=("number", "ordered_at", "where"), wrapped=("where",), empty="No such order is known."
    )

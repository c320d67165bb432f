"""`upbridge shops person`: what is held about one person who ordered, and its erasure with a receipt."""

import json as json_library
from typing import Annotated, Any

import typer

from upbridge.cli.common import Json, ShopName, cell, out, plain, print_json, print_rows, with_container
from upbridge.operations.person import PersonFile, Receipt
from upbridge.worker_container import WorkerContainer

#: What an erasure leaves, and why.
STAYS = (
    ("orders", "the order's number and dates: without them it would be taken for a new one"),
    ("links", "ids, amounts and goods of what was delivered: without them it would be sent a second time"),
    (
        "links",
        "the id of a person's record in another system, under a fingerprint: else a second one is made there",
    ),
    ("order_events", "that and when it was sent, without what was sent"),
    ("open_order_lines", "codes and pieces: they are kept back from the stock"),
    ("deliveries, changes, history", "the order's number alone"),
)


def register(app: typer.Typer) -> None:
    """Add the command to `upbridge shops`."""
    app.command()(person)


def person(
    shop: ShopName,
    *,
    order: Annotated[str | None, typer.Option(help="Who made the order with this number.")] = None,
    email: Annotated[str | None, typer.Option(help="Who has this e-mail address.")] = None,
    erase: Annotated[bool, typer.Option("--erase", help="Erase it, and print a receipt.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    json: Json = False,
) -> None:
    """What is held about one person who ordered, over every table; opened for this answer only. Or its erasure.

    By an e-mail address only what still waits to be sent is found, and the person's record in another system: of
    what was delivered nothing is stored that has it. So ask for each order by its number, too. What is erased here
    is still in the shop and in the systems that the receipt names.
    """
    if (order is None) == (email is None):
        raise typer.BadParameter("--order or --email, one of them", param_hint="who")
    if erase:
        if not yes:
            typer.confirm(
                "Erase what is held about this person? What waits to be sent is not sent any more.", abort=True
            )
        _print_receipt(_erased(shop, order, email), json=json)
        return

    async def work(container: WorkerContainer) -> PersonFile:
        return await container.person_records.look_up(await container.shops.find(shop), order=order, email=email)

    found = with_container(work)
    if json:
        print_json(_file(found))
        return
    for one in found.held:
        out.print(f"{one.table}: {one.system} {one.key}{'' if one.at is None else f' ({cell(one.at)})'}")
        out.print(f"  {'about the person' if one.personal else 'nothing about the person'}")
        if one.content:
            out.print(json_library.dumps(plain(one.content), ensure_ascii=False, indent=2))
    if not found.held:
        out.print("Nothing is held that has this address.")


def _erased(shop: str, order: str | None, email: str | None) -> Receipt:
    async def work(container: WorkerContainer) -> Receipt:
        return await container.person_records.erase(await container.shops.find(shop), order=order, email=email)

    return with_container(work)


def _file(found: PersonFile) -> dict[str, Any]:
    return {
        "orders": found.orders,
        "held": [
            {
                "table": one.table,
                "system": one.system,
                "key": one.key,
                "at": one.at,
                "personal": one.personal,
                "content": one.content,
            }
            for one in found.held
        ],
    }


def _print_receipt(receipt: Receipt, *, json: bool) -> None:
    document = {
        "at": receipt.at,
        "orders": receipt.orders,
        "erased": receipt.erased,
        "stays": [{"table": table, "what": what} for table, what in STAYS],
        "elsewhere": [
            {"system": system, "kind": kind, "id": number} for system, kind, number in receipt.elsewhere
        ],
    }
    if json:
        print_json(document)
        return
    out.print(f"Erased at {receipt.at.isoformat()}; orders: {', '.join(receipt.orders) or 'none was found'}")
    print_rows(
        [{"table": table, "erased": number} for table, number in receipt.erased.items()],
        columns=("table", "erased"),
        empty="",
    )
    out.print("What stays, and why:")
    for table, what in STAYS:
        out.print(f"  {table}: {what}")
    out.print("Still there, to be erased by people:")
    for system, kind, number in receipt.elsewhere:
        out.print(f"  {system}: {kind} {number}")

"""`upbridge shops history`: who did what to a shop, when, and by which way."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from upbridge.cli.common import LARGEST_ID, Json, ShopName, out, print_json, print_rows, with_container
from upbridge.cli.dry_run import change_json
from upbridge.core.errors import NotFound
from upbridge.domain.history import What
from upbridge.store import history as store
from upbridge.worker_container import WorkerContainer

_MOST = 10_000


def register(app: typer.Typer) -> None:
    """Add the command to `upbridge shops`."""
    app.command()(history)
    app.command("undo-stock")(undo_stock)


def history(
    shop: ShopName,
    *,
    since: Annotated[datetime | None, typer.Option(help="Only what was done from then on (UTC).")] = None,
    limit: Annotated[int, typer.Option(min=1, max=_MOST, help="So many lines, the newest.")] = 100,
    before: Annotated[
        int | None, typer.Option(max=LARGEST_ID, help="Only lines older than the one with this id.")
    ] = None,
    run: Annotated[
        int | None, typer.Option(help="The numbers that a stock run wrote: the id of its line.")
    ] = None,
    json: Json = False,
) -> None:
    """Who did what to a shop and when: settings, connections, problems, guards, states, stock by run; by a page,
    a command, the platform's own call, or the program itself. Kept for 400 days, the numbers of stock runs for 90.
    """

    async def work(container: WorkerContainer) -> list[dict[str, Any]]:
        found = await container.shops.find(shop)
        async with container.engine.connect() as tx:
            if run is not None:
                moment = await store.moment_of_run(tx, found.id, run)
                if moment is None:
                    raise NotFound(f"{found.key} has no stock run with the id {run}")
                written = await store.stock_of_run(tx, found.id, moment, limit=limit)
                return [
                    {"code": one.code, "key": one.key, "old": _number(one.old), "new": _number(one.new)}
                    for one in written
                ]
            moment = since.replace(tzinfo=UTC) if since is not None and since.tzinfo is None else since
            lines = await store.latest(tx, found.id, limit=limit, since=moment, before=before)
        return [
            {
                "id": one.id,
                "at": one.at,
                "way": one.way,
                "what": one.what,
                "subject": one.subject,
                "old": one.old,
                "new": one.new,
                "details": one.details,
            }
            for one in lines
        ]

    rows = with_container(work)
    if json:
        print_json(rows)
    elif run is not None:
        print_rows(
            rows, columns=("code", "old", "new"), wrapped=("code",), empty="It wrote nothing, or too long ago."
        )
    else:
        print_rows(
            [{**row, "old → new": _change(row), "details": _details(row["details"])} for row in rows],
            columns=("id", "at", "way", "what", "subject", "old → new", "details"),
            wrapped=("subject", "old → new", "details"),
            empty="Nothing was done yet.",
        )


def undo_stock(
    shop: ShopName,
    run: Annotated[int, typer.Argument(metavar="ID", help="The id of the run's line in `shops history`.")],
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be written, and write nothing.")
    ] = False,
    json: Json = False,
) -> None:
    """Write the numbers again that stood before a stock run, where they have not changed since. Uphance's numbers
    are not written over them until those change.
    """

    async def work(container: WorkerContainer) -> dict[str, Any]:
        found = await container.shops.find(shop)
        _, shown = await container.run_undo.look(found.id, run, limit=None)
        if not dry_run:
            await container.run_undo.undo(found.id, run, shown.mark)
        counts = {"written": shown.number, "changed_since": shown.counts["changed"]}
        return {**counts, "changes": [change_json(one) for one in shown.changes]}

    done = with_container(work)
    if json:
        print_json(done)
        return
    empty = "Nothing can be taken back."
    print_rows(done["changes"], columns=("code", "old", "new"), wrapped=("code",), empty=empty)
    verb = "would be" if dry_run else "are"
    out.print(f"{done['written']} numbers {verb} written, {done['changed_since']} were changed since.")


def _number(value: Any) -> float | int | None:
    if value is None:
        return None
    return int(value) if value == int(value) else float(value)


def _change(row: Mapping[str, Any]) -> str | None:
    if row["what"] == What.SETTING:
        return f"{_or_default(row['old'])} → {_or_default(row['new'])}"
    return " → ".join(value for value in (row["old"], row["new"]) if value is not None) or None


def _or_default(value: str | None) -> str:
    return "(not chosen)" if value is None else value


def _details(details: Mapping[str, Any]) -> str | None:
    return ", ".join(f"{name}: {value}" for name, value in details.items()) or None

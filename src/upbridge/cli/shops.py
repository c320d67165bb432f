"""`upbridge shops …`: the shops, their connections, settings, budget, imports."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any

import typer

from upbridge.cli import pairing, person, shop_history
from upbridge.cli.budget import snapshot_json, snapshot_lines
from upbridge.cli.common import Json, ShopName, cell, err, out, print_json, print_rows, with_container
from upbridge.cli.counts import ToldCounts, under_way_line
from upbridge.cli.dry_run import print_dry_run
from upbridge.cli.progress import PLURAL, wait_for
from upbridge.cli.shop_access import connect, disconnect, renew
from upbridge.cli.shop_report import completeness_line, coverage_line, describe, line_of, settings_json
from upbridge.core.errors import Conflict
from upbridge.domain.shop import Shop
from upbridge.domain.shop_settings import ShopSettings
from upbridge.engine.runs import resume_imports
from upbridge.engine.scheduler import start_reconciliation
from upbridge.maintenance.erasure import erase_shop
from upbridge.operations.pause import resume_shop, suspend_shop
from upbridge.store.runs import RunPurpose, RunState, latest_runs, runs_in
from upbridge.systems.registry import SYSTEMS
from upbridge.worker_container import WorkerContainer

app = typer.Typer(help="The shops: list, show, connect, settings, budget, import, reconcile, suspend, erase.")

Wait = Annotated[bool, typer.Option("--wait", help="Wait, with a progress bar, until it has ended.")]


# --- looking ------------------------------------------------------------------------------------------------


@app.command("list")
def list_shops(*, json: Json = False) -> None:
    """Every shop, with its state and connections."""

    async def work(container: WorkerContainer) -> list[dict[str, Any]]:
        return [line_of(shop, await container.connections.of(shop.id)) for shop in await container.shops.all()]

    rows = with_container(work)
    if json:
        print_json(rows)
        return
    people = [
        {**row, "connections": [f"{one['system']} ({one['state']})" for one in row["connections"]]} for row in rows
    ]
    print_rows(
        people,
        columns=("key", "name", "state", "version", "connections", "installed_at"),
        wrapped=("name", "connections"),
        empty="No shop has activated the add-on yet.",
    )


@app.command()
def show(shop: ShopName, *, json: Json = False) -> None:
    """One shop: connections, settings, imports, what waits."""

    async def work(container: WorkerContainer) -> dict[str, Any]:
        return await describe(
            container.engine,
            container.systems,
            await container.shops.find(shop),
            webhook_url=container.webhook_url,
            now=container.clock(),
        )

    value = with_container(work)
    if json:
        print_json(value)
        return
    for name in ("key", "id", "token", "name", "state", "reason", "api_url", "version", "installed_at", "waiting"):
        if value[name] is not None:
            out.print(f"{name:14} {cell(value[name])}")
    for name in SYSTEMS.titles:
        if address := value.get(f"{name}_webhook_url"):
            out.print(f"{f'{name} hook':14} {address}")
    for one in value["connections"]:
        out.print(f"{one['system']:14} {one['state']} ({one['account']}) since {cell(one['connected_at'])}")
    for kind, run in value["imports"].items():
        out.print(f"{'import':14} {kind}: {run['done']} of {run['total']}, {run['state']}")
    for flow in value["flows"]:
        way = f"{flow['kind']} {flow['source']} -> {flow['target']}"
        out.print(f"{'flow':14} {way}: {flow['light']} ({flow['reason']}), {flow['waiting']} waiting")
    out.print(f"{'orders':14} {completeness_line(value['completeness'])}")
    out.print(f"{'webhooks':14} {coverage_line(value['coverage'])}")


app.command()(connect)
app.command()(disconnect)


# --- settings and budget ------------------------------------------------------------------------------------


@app.command()
def settings(
    shop: ShopName,
    changes: Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE]...")] = None,
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what the change would do at once, and change nothing.")
    ] = False,
    json: Json = False,
) -> None:
    """Print the shop's settings, or change them; `KEY=` goes back to the default."""
    texts: dict[str, str] = {}
    for change in changes or []:
        key, equals, value = change.partition("=")
        if not equals:
            raise typer.BadParameter(f"{change!r} is not KEY=VALUE")
        texts[key.strip()] = value
    if dry_run:
        print_dry_run(shop, texts, json=json)
        return

    async def work(container: WorkerContainer) -> ShopSettings:
        found = await container.shops.find(shop)
        return await container.settings_editor.change(found, texts) if texts else found.settings

    shop_settings = with_container(work)
    if json:
        print_json(settings_json(shop_settings))
        return
    rows = [
        {"setting": key, "value": value, "": "" if key in shop_settings.chosen else "default"}
        for key, value in shop_settings.as_text().items()
        if not texts or key in texts
    ]
    print_rows(rows, columns=("setting", "value", ""), wrapped=("value",), empty="")


@app.command()
def budget(shop: ShopName, *, json: Json = False) -> None:
    """Limits of the shop's API, what is left, what the next hours hold, who used it."""

    async def work(container: WorkerContainer) -> Any:
        found = await container.shops.find(shop)
        return await container.ledger.snapshot(found.id)

    snapshot = with_container(work)
    if json:
        print_json(snapshot_json(snapshot))
        return
    for line in snapshot_lines(snapshot):
        out.print(line)


# --- imports ------------------------------------------------------------------------------------------------


@app.command("import")
def import_command(shop: ShopName, *, wait: Wait = False, json: Json = False) -> None:
    """Start (or resume) the first import again; returns at once unless --wait."""

    async def work(container: WorkerContainer) -> dict[str, Any]:
        found = await container.shops.find(shop)
        rows = await container.connected.target_connections(found)
        if not rows:
            raise Conflict(f"{found.key} is not connected to anything: `upbridge shops connect` first")
        async with container.engine.begin() as tx:
            await resume_imports(tx, found.id, now=container.clock())
            await container.imports.start(tx, found, rows)
        if wait:
            await wait_for(container.engine, container.shops, found, RunPurpose.IMPORT, "importing")
        return await describe(
            container.engine,
            container.systems,
            found,
            webhook_url=container.webhook_url,
            now=container.clock(),
        )

    _report(with_container(work), json=json)


@app.command()
def reconcile(shop: ShopName, *, wait: Wait = False, json: Json = False) -> None:
    """Run the safety net now: find and repair what no webhook announced."""

    async def work(container: WorkerContainer) -> dict[str, Any]:
        found = await container.shops.find(shop)
        told = ToldCounts(container.engine, found, since=container.clock(), say=None if json else out.print)
        async with container.engine.begin() as tx:
            going = await runs_in(tx, found.id, RunPurpose.SAFETY_NET, RunState.RUNNING)
            await start_reconciliation(tx, found.id, now=container.clock())
        for run in going:
            err.print(under_way_line(run))
        if wait:
            await wait_for(
                container.engine, container.shops, found, RunPurpose.SAFETY_NET, "comparing", look=told.look
            )
        nets = await latest_runs(container.engine, found.id, RunPurpose.SAFETY_NET)
        return {
            **await describe(
                container.engine,
                container.systems,
                found,
                webhook_url=container.webhook_url,
                now=container.clock(),
            ),
            "found": {PLURAL[kind]: run.found for kind, run in nets.items()},
            "complete": all(run.complete for run in nets.values()) if wait else None,
        }

    _report(with_container(work), json=json)


def _report(value: dict[str, Any], *, json: bool) -> None:
    if json:
        print_json(value)
        return
    for kind, run in value["imports"].items():
        out.print(f"{kind}: {run['done']} of {run['total'] if run['total'] is not None else '?'}, {run['state']}")
    for kind, number in value.get("found", {}).items():
        out.print(f"{kind}: {number} changes that no webhook had announced")
    if value.get("complete") is False:
        out.print("not everything could be read: see `upbridge problems list`")
    out.print(f"waiting: {value['waiting']}, parked: {value['parked']}")


# --- states -------------------------------------------------------------------------------------------------


@app.command()
def suspend(shop: ShopName) -> None:
    """Stop everything for a shop until `resume`; webhooks are still stored."""
    _change(shop, suspend_shop, "is suspended")


@app.command()
def resume(shop: ShopName) -> None:
    """Go on with a suspended shop."""
    _change(shop, resume_shop, "goes on")


def _change(name: str, change: Callable[..., Awaitable[bool]], done: str) -> None:
    async def work(container: WorkerContainer) -> Shop:
        shop = await container.shops.find(name)
        if not await change(container.shops, shop, now=container.clock()):
            raise Conflict(f"{shop.key} is {shop.state}: nothing to do")
        return shop

    out.print(f"{with_container(work).key} {done}.")


app.command()(renew)


@app.command()
def erase(
    shop: ShopName,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete a shop and everything that we know about it. There is no way back."""

    async def find(container: WorkerContainer) -> Shop:
        return await container.shops.find(shop)

    found = with_container(find)
    if not yes:
        typer.confirm(f"Erase {found.key} ({found.name}) with all its settings and links?", abort=True)

    async def work(container: WorkerContainer) -> Mapping[str, int]:
        return await erase_shop(container.engine, found.id)

    counts = with_container(work)
    out.print(f"{found.key} is erased: " + ", ".join(f"{number} {table}" for table, number in counts.items()))


for others in (shop_history, pairing, person):
    others.register(app)

"""`upbridge shops …`: the shops, their connections, settings, budget, imports."""

import math
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any

import typer

from upbridge.cli.budget import outlook_json, outlook_lines
from upbridge.cli.common import Json, ShopName, cell, err, out, print_json, print_rows, with_service
from upbridge.cli.options import login_options, with_options
from upbridge.cli.progress import PLURAL, wait_for, waiting
from upbridge.core.errors import BadRequest, Conflict, LoginRefused
from upbridge.domain.shop import BY_OPERATOR, Shop, ShopState
from upbridge.domain.shop_settings import ShopSettings, as_text
from upbridge.engine.completeness import DAYS, Counted
from upbridge.engine.context import Service
from upbridge.engine.imports import start_imports
from upbridge.engine.runs import resume_imports
from upbridge.engine.scheduler import start_reconciliation
from upbridge.insights.flow_states import flow_states, see
from upbridge.insights.webhook_coverage import Coverage, coverage
from upbridge.maintenance.erasure import erase_shop
from upbridge.operations.change_settings import change_settings
from upbridge.operations.connections import connect as connect_shop
from upbridge.operations.connections import disconnect as disconnect_shop
from upbridge.operations.renew_secrets import renew_secrets
from upbridge.store.connections import ConnectionRow
from upbridge.store.documents import count_parked
from upbridge.store.runs import Run, RunPurpose, latest_runs
from upbridge.systems.base import ANY_EVENT
from upbridge.systems.registry import SYSTEMS

app = typer.Typer(help="The shops: list, show, connect, settings, budget, import, reconcile, suspend, erase.")

Wait = Annotated[bool, typer.Option("--wait", help="Wait, with a progress bar, until it has ended.")]


# --- looking ------------------------------------------------------------------------------------------------


@app.command("list")
def list_shops(*, json: Json = False) -> None:
    """Every shop, with its state and connections."""

    async def work(service: Service) -> list[dict[str, Any]]:
        return [_line(shop, await service.connections.of(shop.id)) for shop in await service.shops.all()]

    rows = with_service(work)
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

    async def work(service: Service) -> dict[str, Any]:
        return await describe(service, await service.shops.find(shop))

    value = with_service(work)
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


def _line(shop: Shop, rows: Mapping[str, ConnectionRow]) -> dict[str, Any]:
    return {
        "id": shop.id,
        "key": shop.key,
        "token": shop.token,
        "name": shop.name,
        "state": str(shop.state),
        "reason": shop.reason,
        "api_url": shop.api_url,
        "version": shop.version,
        "installed_at": shop.installed_at,
        "connections": [
            {
                "system": row.system,
                "state": str(row.state),
                "reason": row.reason,
                "account": row.account,
                "prefix": row.prefix,
                "connected_at": row.connected_at,
            }
            for row in rows.values()
        ],
    }


async def describe(service: Service, shop: Shop) -> dict[str, Any]:
    """A shop as `shops show --json` prints it."""
    runs = await latest_runs(service.engine, shop.id, RunPurpose.IMPORT)
    return {
        **_line(shop, await service.connections.of(shop.id)),
        "settings": settings_json(shop.settings),
        "imports": {PLURAL[kind]: _import(run) for kind, run in sorted(runs.items(), reverse=True)},
        "waiting": await waiting(service, shop),
        "parked": await parked(service, shop),
        **await truth_json(service, shop),
        "coverage": coverage_json(await coverage(service.engine, shop.id, now=service.clock())),
        **{
            f"{one.name}_webhook_url": service.webhook_url(shop, one.name, ANY_EVENT)
            for one in service.systems.connected
            if one.calls_back
        },
    }


async def truth_json(service: Service, shop: Shop) -> dict[str, Any]:
    """The lights of the overview page, and what the shop counted itself, as `shops show --json` prints them."""
    rows = await service.connections.of(shop.id)
    async with service.engine.connect() as tx:
        seen = await see(tx, service.systems, shop.id)
    flows = flow_states(service.systems, shop, rows, seen, service.clock())
    return {
        "flows": [
            {
                "source": flow.source,
                "kind": flow.kind,
                "target": flow.target,
                "light": flow.light,
                "reason": flow.reason,
                "waiting": flow.waiting,
                "oldest": flow.oldest,
            }
            for flow in flows
        ],
        "completeness": {
            "days": DAYS,
            **_counted(seen.counted.get("order")),
            "products": _counted(seen.counted.get("product")),
        },
    }


def _counted(counted: Counted | None) -> dict[str, Any]:
    if counted is None:
        return dict.fromkeys(("shop_says", "known", "missing", "checked_at"))
    return {
        "shop_says": counted.shop_says,
        "known": counted.known,
        "missing": counted.missing,
        "checked_at": counted.checked_at,
    }


def coverage_json(found: Coverage) -> dict[str, Any]:
    """Coverage as `shops show --json` prints it; `share` is null where nothing changed."""
    return {"days": found.days, "announced": found.announced, "found": found.found, "share": found.share}


def completeness_line(found: Mapping[str, Any]) -> str:
    """The shop's own count against ours, for people."""
    if found["shop_says"] is None:
        return "the shop was not asked for its own count yet"
    return (
        f"the shop says {found['shop_says']:,} in {found['days']} days, {found['known']:,} are known,"
        f" {found['missing']:,} missing (counted {cell(found['checked_at'])})"
    )


def coverage_line(found: Mapping[str, Any]) -> str:
    """Coverage for people. Rounded down: not all is not 100 %."""
    if found["share"] is None:
        return f"nothing changed in {found['days']} days"
    share = math.floor(found["share"] * 1000) / 10
    changes = found["announced"] + found["found"]
    return f"announced {share:.1f} % of {changes:,} changes in {found['days']} days"


def _import(run: Run) -> dict[str, Any]:
    return {
        "total": run.total,
        "done": run.done,
        "state": str(run.state),
        "started_at": run.started_at,
        "finished_at": run.finished_at,
    }


def settings_json(shop_settings: ShopSettings) -> dict[str, Any]:
    """Settings for machines: true, false and numbers as such, lists and mappings as they would be typed."""
    return {
        key: value if isinstance(value := shop_settings.get(key), bool | int) else as_text(value) or None
        for key in shop_settings.declared
    }


async def parked(service: Service, shop: Shop) -> int:
    """Documents that wait for a mapping or a person."""
    async with service.engine.connect() as tx:
        return await count_parked(tx, shop.id)


# --- connections --------------------------------------------------------------------------------------------


@app.command()
@with_options(login_options())
def connect(
    shop: ShopName,
    system: Annotated[str, typer.Argument(metavar="|".join(SYSTEMS.titles))],
    *,
    typed: Mapping[str, str],
    json: Json = False,
) -> None:
    """Connect another system. The secret or password is read from standard input; the login is tested before
    anything is stored. The first import begins by itself.
    """
    found = SYSTEMS.get(system)
    if found is None or found.connect is None:
        raise typer.BadParameter(" or ".join(SYSTEMS.titles), param_hint="SYSTEM")
    given = {field.name: "" for field in found.connect.fields} | {**typed}
    for field in found.connect.fields:
        if field.needed and not field.secret and not given.get(field.name):
            hint = f"--{field.name.replace('_', '-')}"
            raise typer.BadParameter(f"needed for {system}, {field.help}", param_hint=hint)
    for field in found.connect.fields:
        if field.secret:
            given[field.name] = _secret(field.name.replace("_", " "))
    credentials = found.connect.credentials

    async def work(service: Service) -> ConnectionRow:
        try:
            return await connect_shop(service, await service.shops.find(shop), system, given)
        except LoginRefused as error:
            raise LoginRefused(f"{error}; nothing was stored: check {credentials}") from error

    row = with_service(work)
    if json:
        print_json({"system": row.system, "state": str(row.state), "account": row.account, "prefix": row.prefix})
        return
    out.print(f"{row.system} is connected ({row.account}); the first import has begun.")
    if row.prefix:
        out.print(f"Another shop feeds this tenant already: all ids of this shop begin with {row.prefix!r} there.")


@app.command()
def disconnect(shop: ShopName, system: Annotated[str, typer.Argument(metavar="|".join(SYSTEMS.titles))]) -> None:
    """Forget a connection and what waits for it; links stay, so that a return doubles nothing.

    A system whose login is a person's is asked to revoke our token, and no other of that person's.
    """

    async def work(service: Service) -> None:
        await disconnect_shop(service, await service.shops.find(shop), system)

    with_service(work)
    out.print(f"{system} is disconnected.")


def _secret(name: str) -> str:
    if sys.stdin.isatty():
        err.print(f"{name}: ", end="")
        import getpass  # noqa: PLC0415 - only where a person types

        value = getpass.getpass("")
    else:
        value = sys.stdin.readline()
    value = value.rstrip("\r\n")
    if not value:
        raise BadRequest(f"no {name} came on standard input")
    return value


# --- settings and budget ------------------------------------------------------------------------------------


@app.command()
def settings(
    shop: ShopName,
    changes: Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE]...")] = None,
    *,
    json: Json = False,
) -> None:
    """Print the shop's settings, or change them; `KEY=` goes back to the default."""
    texts: dict[str, str] = {}
    for change in changes or []:
        key, equals, value = change.partition("=")
        if not equals:
            raise typer.BadParameter(f"{change!r} is not KEY=VALUE")
        texts[key.strip()] = value

    async def work(service: Service) -> ShopSettings:
        found = await service.shops.find(shop)
        return await change_settings(service, found, texts) if texts else found.settings

    shop_settings = with_service(work)
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

    async def work(service: Service) -> Any:
        found = await service.shops.find(shop)
        return await service.ledger.outlook(found.id)

    outlook = with_service(work)
    if json:
        print_json(outlook_json(outlook))
        return
    for line in outlook_lines(outlook):
        out.print(line)


# --- imports ------------------------------------------------------------------------------------------------


@app.command("import")
def import_command(shop: ShopName, *, wait: Wait = False, json: Json = False) -> None:
    """Start (or resume) the first import again; returns at once unless --wait."""

    async def work(service: Service) -> dict[str, Any]:
        found = await service.shops.find(shop)
        rows = await service.target_connections(found)
        if not rows:
            raise Conflict(f"{found.key} is not connected to anything: `upbridge shops connect` first")
        async with service.engine.begin() as tx:
            await resume_imports(tx, found.id, now=service.clock())
            await start_imports(tx, service, found, rows)
        if wait:
            await wait_for(service, found, RunPurpose.IMPORT, "importing")
        return await describe(service, found)

    _report(with_service(work), json=json)


@app.command()
def reconcile(shop: ShopName, *, wait: Wait = False, json: Json = False) -> None:
    """Run the safety net now: find and repair what no webhook announced."""

    async def work(service: Service) -> dict[str, Any]:
        found = await service.shops.find(shop)
        async with service.engine.begin() as tx:
            await start_reconciliation(tx, found.id, now=service.clock())
        if wait:
            await wait_for(service, found, RunPurpose.SAFETY_NET, "comparing")
        nets = await latest_runs(service.engine, found.id, RunPurpose.SAFETY_NET)
        return {
            **await describe(service, found),
            "found": {PLURAL[kind]: run.found for kind, run in nets.items()},
        }

    _report(with_service(work), json=json)


def _report(value: dict[str, Any], *, json: bool) -> None:
    if json:
        print_json(value)
        return
    for kind, run in value["imports"].items():
        out.print(f"{kind}: {run['done']} of {run['total'] if run['total'] is not None else '?'}, {run['state']}")
    for kind, number in value.get("found", {}).items():
        out.print(f"{kind}: {number} changes that no webhook had announced")
    out.print(f"waiting: {value['waiting']}, parked: {value['parked']}")


# --- states -------------------------------------------------------------------------------------------------


@app.command()
def suspend(shop: ShopName) -> None:
    """Stop everything for a shop until `resume`; webhooks are still stored."""
    _change(shop, _suspend, "is suspended")


@app.command()
def resume(shop: ShopName) -> None:
    """Go on with a suspended shop."""
    _change(shop, _resume, "goes on")


async def _suspend(service: Service, shop: Shop) -> bool:
    return await service.shops.move(
        shop.id,
        to=ShopState.SUSPENDED,
        among=[ShopState.ACTIVE, ShopState.SUSPENDED],
        now=service.clock(),
        reason=BY_OPERATOR,
    )


async def _resume(service: Service, shop: Shop) -> bool:
    return await service.shops.move(shop.id, to=ShopState.ACTIVE, among=[ShopState.SUSPENDED], now=service.clock())


def _change(name: str, change: Callable[[Service, Shop], Awaitable[bool]], done: str) -> None:
    async def work(service: Service) -> Shop:
        shop = await service.shops.find(name)
        if not await change(service, shop):
            raise Conflict(f"{shop.key} is {shop.state}: nothing to do")
        return shop

    out.print(f"{with_service(work).key} {done}.")


@app.command()
def renew(
    shop: ShopName,
    *,
    webhooks: Annotated[bool, typer.Option("--webhooks", help="New addresses for all webhooks.")] = False,
    sessions: Annotated[bool, typer.Option("--sessions", help="End all sessions of the pages.")] = False,
    json: Json = False,
) -> None:
    """Make what may have leaked worthless: the addresses of webhooks, or the sessions of the pages.

    Upgates gets the new addresses within a minute; until it has them, the old ones are taken, too. An address that
    a person typed at another system has to be typed there again.
    """
    if not webhooks and not sessions:
        raise typer.BadParameter("--webhooks or --sessions", param_hint="what")

    async def work(service: Service) -> dict[str, Any]:
        return await renew_secrets(service, await service.shops.find(shop), webhooks=webhooks, sessions=sessions)

    done = with_service(work)
    if json:
        print_json(done)
        return
    if webhooks:
        out.print("The webhooks get new addresses.")
        for name, address in done["addresses"].items():
            out.print(f"To be typed at {SYSTEMS.title(name)}: {address}")
    if sessions:
        out.print(f"{done['sessions']} ended.")


@app.command()
def erase(
    shop: ShopName,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete a shop and everything that we know about it. There is no way back."""

    async def find(service: Service) -> Shop:
        return await service.shops.find(shop)

    found = with_service(find)
    if not yes:
        typer.confirm(f"Erase {found.key} ({found.name}) with all its settings and links?", abort=True)

    async def work(service: Service) -> Mapping[str, int]:
        return await erase_shop(service.engine, found.id)

    counts = with_service(work)
    out.print(f"{found.key} is erased: " + ", ".join(f"{number} {table}" for table, number in counts.items()))

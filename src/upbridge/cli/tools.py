"""The commands that look after the service: doctor, accesses, plan, cpa upload, keys rotate."""

from pathlib import Path
from typing import Annotated, Any

import typer

from upbridge.budget.forecast import plan as simulate
from upbridge.care.doctor import examine
from upbridge.care.rotation import rotate_all
from upbridge.cli.budget import plan_json, plan_lines
from upbridge.cli.common import Json, ShopName, out, print_json, run_async, with_service
from upbridge.errors import Conflict
from upbridge.settings import load_settings, log_format
from upbridge.sync.service import Service
from upbridge.systems.upgates.accesses import as_markdown, as_rows
from upbridge.systems.upp import cpa
from upbridge.systems.upp.client import UppClient
from upbridge.telemetry.logging import configure_logging

cpa_app = typer.Typer(help="Cost per acquisition.", no_args_is_help=True)
keys_app = typer.Typer(help="Encryption keys.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(doctor)
    app.command()(accesses)
    app.command(name="plan")(plan_command)


def doctor(*, json: Json = False) -> None:
    """Settings, database, schema, signature key, remote systems, clock: a line each; exit 1 if one is bad."""
    settings = load_settings()
    configure_logging(log_format(settings), level=50)
    findings = run_async(examine(settings))
    if json:
        print_json([{"check": one.check, "state": one.state, "detail": one.detail} for one in findings])
    else:
        marks = {"ok": "[green]ok  [/]", "warn": "[yellow]warn[/]", "bad": "[red]bad [/]"}
        for one in findings:
            out.print(f"{marks[one.state]} {one.check:15} {one.detail}", highlight=False)
    if any(one.state == "bad" for one in findings):
        raise typer.Exit(1)


def accesses(
    form: Annotated[str, typer.Option("--format", help="md or json.")] = "md", *, json: Json = False
) -> None:
    """The table "API accesses" for the Marketplace form, from the code's own declaration."""
    if form not in {"md", "json"}:
        raise typer.BadParameter("md or json", param_hint="--format")
    if json or form == "json":
        print_json(as_rows())
    else:
        typer.echo(as_markdown())


def plan_command(
    tariff: Annotated[str, typer.Option(help="bronze, silver, gold, platinum, exclusive.")],
    products: Annotated[int, typer.Option(min=0)],
    orders_per_day: Annotated[int, typer.Option(min=0)],
    product_changes_per_day: Annotated[int, typer.Option(min=0)],
    packages: Annotated[int, typer.Option(min=0, max=60)] = 0,
    *,
    json: Json = False,
) -> None:
    """Simulate a day against a tariff's limits: calls used, delay of orders, packages to buy."""
    try:
        result = simulate(
            tariff.lower(),
            packages,
            products=products,
            orders_per_day=orders_per_day,
            product_changes_per_day=product_changes_per_day,
        )
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    if json:
        print_json(plan_json(result))
        return
    for line in plan_lines(result):
        out.print(line)


@cpa_app.command("upload")
def upload(
    shop: ShopName,
    file: Annotated[Path, typer.Argument(metavar="FILE.csv", exists=True, dir_okay=False)],
    discriminator: Annotated[str, typer.Option(help="The account-specific id that Upp.ai gave you.")],
) -> None:
    """Send the cost per acquisition per day (columns date,cpa) to Upp.ai."""
    days = cpa.parse(file.read_bytes())

    async def work(service: Service) -> Any:
        found = await service.shops.find(shop)
        if "upp" not in await service.connections.of(found.id):
            raise Conflict(f"{found.key} is not connected to Upp.ai")
        client = UppClient(service.http, service.settings.upp_url, service.clock)
        await client.send_cpa(service.connections.vault(found.id, "upp"), discriminator, days)

    with_service(work)
    out.print(f"{len(days)} days were accepted by Upp.ai.")


@keys_app.command("rotate")
def rotate() -> None:
    """Re-encrypt every stored secret with the newest key; afterwards older keys can be taken out."""

    async def work(service: Service) -> dict[str, int]:
        return await rotate_all(service.engine, service.sealer)

    counts = with_service(work)
    out.print("Re-encrypted: " + ", ".join(f"{number} {place}" for place, number in counts.items()))

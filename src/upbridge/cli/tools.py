"""The commands that look after the service: doctor, accesses, plan, cpa upload."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from upbridge.cli.budget import plan_json, plan_lines
from upbridge.cli.common import Json, ShopName, out, print_json, print_rows, run_async, with_container
from upbridge.cli.explain_signature import explain_call, read_call
from upbridge.cli.options import trial_options, with_options
from upbridge.cli.trials import marked, try_connection
from upbridge.cli.usage import CALL, USAGE_COLUMNS, usage_json, usage_line, usage_rows
from upbridge.core.bounds import FILE_BYTES
from upbridge.core.errors import TooLarge
from upbridge.core.telemetry.logging import configure_logging
from upbridge.installation.signature import Endpoint
from upbridge.maintenance.doctor import examine
from upbridge.rate_limits.forecast import plan as simulate
from upbridge.rate_limits.usage import LONGEST_DAYS, usage
from upbridge.settings import given_variables, load_settings, log_format, log_level
from upbridge.systems.offers import days_of
from upbridge.systems.registry import SYSTEMS
from upbridge.worker_container import WorkerContainer

app = typer.Typer()
#: No shop comes near, and a day of them is simulated within a minute.
_MOST_PRODUCTS, _MOST_A_DAY = 10_000_000, 1_000_000

cpa_app = typer.Typer(help="Cost per acquisition.", no_args_is_help=True)


@app.command()
@with_options(trial_options())
def doctor(
    call: Annotated[
        Path | None,
        typer.Option(metavar="FILE|-", allow_dash=True, help="Explain the signature of this signed call (JSON)."),
    ] = None,
    endpoint: Annotated[Endpoint | None, typer.Option(help="Which endpoint the call was for.")] = None,
    *,
    typed: Mapping[str, str],
    yes: Annotated[bool, typer.Option("--yes", help="With a trial: make things without asking.")] = False,
    json: Json = False,
) -> None:
    """Settings, database, disk, schema, workers, signature key, clock, remote systems, our public address: a line
    each, with what to do; exit 1 if one is bad. Ends within 15 seconds.

    With --call: the exact string that Upgates signed, secrets masked, and what differs; exit 1 if it is refused.

    With the name of a system: how its lists behave, then, if you agree, things marked UPBRIDGE-TEST are made there
    and read back, with what the server said; exit 1 if one was refused.
    """
    for name, shop in typed.items():
        try_connection(SYSTEMS.named(name), shop, yes=yes, json=json)
        return
    settings = load_settings()
    configure_logging(log_format(settings), level=log_level(settings, least=logging.CRITICAL))
    if call is not None:
        if endpoint is None:
            raise typer.BadParameter("needed with --call", param_hint="--endpoint")
        lines, accepted = run_async(explain_call(settings, read_call(call), endpoint=endpoint))
        typer.echo(lines)
        raise typer.Exit(0 if accepted else 1)
    findings = run_async(examine(settings, SYSTEMS, given=given_variables()))
    if json:
        print_json([{"check": one.check, "state": one.state, "detail": one.detail} for one in findings])
    else:
        for one in findings:
            out.print(marked(one.state, f"{one.check:15} {one.detail}"))
    if any(one.state == "bad" for one in findings):
        raise typer.Exit(1)


@app.command()
def accesses(
    form: Annotated[str, typer.Option("--format", help="md or json.")] = "md",
    days: Annotated[int, typer.Option(min=1, max=LONGEST_DAYS, help="With --used: how far back.")] = 7,
    *,
    used: Annotated[bool, typer.Option("--used", help="What was called, beside what is declared.")] = False,
    json: Json = False,
) -> None:
    """The table "API accesses" for the Marketplace form, from the code's own declaration.

    With --used: how often each was called in the last days over all shops, and how near the busiest day came to
    the 60,000 calls at which Upgates asks.
    """
    if form not in {"md", "json"}:
        raise typer.BadParameter("md or json", param_hint="--format")
    json = json or form == "json"
    if used:
        found = with_container(lambda container: usage(container.engine, now=container.clock(), days=days))
        if json:
            print_json(usage_json(found))
            return
        print_rows(usage_rows(found), columns=USAGE_COLUMNS, wrapped=[CALL], empty="")
        out.print(usage_line(found))
    elif json:
        print_json(SYSTEMS.platform.declared_calls.as_rows())
    else:
        typer.echo(SYSTEMS.platform.declared_calls.as_markdown())


@app.command("plan")
def plan_command(
    tariff: Annotated[str, typer.Option(help="bronze, silver, gold, platinum, exclusive.")],
    products: Annotated[int, typer.Option(min=0, max=_MOST_PRODUCTS)],
    orders_per_day: Annotated[int, typer.Option(min=0, max=_MOST_A_DAY)],
    product_changes_per_day: Annotated[int, typer.Option(min=0, max=_MOST_A_DAY)],
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
    account = discriminator.strip()
    if not account:
        raise typer.BadParameter("it says nothing", param_hint="--discriminator")
    system = next(one for one in SYSTEMS.connected if one.costs is not None)
    assert system.costs is not None, "it was chosen for them"
    with file.open("rb") as opened:
        content = opened.read(FILE_BYTES + 1)
    if len(content) > FILE_BYTES:
        raise TooLarge(f"the file has more than {FILE_BYTES} bytes")
    days = days_of(system.costs.read(content))

    async def work(container: WorkerContainer) -> None:
        found = await container.shops.find(shop)
        await container.cost_sender.send(found, system, account, days)

    with_container(work)
    out.print(f"{len(days)} {'day was' if len(days) == 1 else 'days were'} accepted by {system.title}.")

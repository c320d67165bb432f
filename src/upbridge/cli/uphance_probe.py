"""`upbridge doctor --uphance`: a line for each step, and what the server said to what we made."""

from dataclasses import asdict

import typer
from rich.markup import escape

from upbridge.cli.common import out, print_json, with_service
from upbridge.core.errors import Conflict
from upbridge.domain.lane import Lane
from upbridge.engine.context import Service
from upbridge.engine.lanes import exclusive
from upbridge.systems.uphance.probe import MARK, State, Step, Trial
from upbridge.systems.uphance.system import UPHANCE

_MARKS: dict[State, str] = {
    "ok": "[green]ok  [/]",
    "warn": "[yellow]warn[/]",
    "bad": "[red]bad [/]",
    "skipped": "[dim]-   [/]",
}


def try_uphance(shop: str, *, yes: bool, json: bool) -> None:
    """Look, ask, make. With *json* there is no question: without *yes* it only looks."""

    async def work(service: Service) -> list[Step]:
        found = await service.shops.find(shop)
        row = (await service.connections.of(found.id)).get(UPHANCE.name)
        if row is None:
            raise Conflict(
                f"{found.key} is not connected to Uphance: `upbridge shops connect {found.key} uphance`"
            )
        lane = Lane.push(found.id, UPHANCE.name)
        trial = Trial.of(service.connection(found, row), lambda: exclusive(service.engine, lane))
        steps: list[Step] = []
        async for step in trial.look():
            steps.append(step)
            _show(step, quiet=json)
        well = all(step.state != "bad" for step in steps)
        if not well or not (yes or (not json and _agreed(trial.organisation))):
            return steps
        async for step in trial.make():
            steps.append(step)
            _show(step, quiet=json)
        return steps

    steps = with_service(work)
    if json:
        print_json([asdict(step) for step in steps])
    if any(step.state == "bad" for step in steps):
        raise typer.Exit(1)


def _agreed(organisation: str) -> bool:
    return typer.confirm(
        f"Make a customer, a product and a draft sales order, marked {MARK}, in {organisation}? They have to be"
        " thrown away by hand."
    )


def _show(step: Step, *, quiet: bool) -> None:
    if quiet:
        return
    out.print(f"{_MARKS[step.state]} {escape(step.step):28} {escape(step.detail)}", highlight=False)
    if step.said is not None:
        out.print(f"     {step.request}: {step.status}", highlight=False)
        out.print(f"     {escape(step.said)}", highlight=False)

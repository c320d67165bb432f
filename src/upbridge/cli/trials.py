"""`upbridge doctor --<system>`: a line for each step of a trial, and what the server said to what was made."""

from dataclasses import asdict

import typer
from rich.text import Text

from upbridge.cli.common import out, print_json, with_container
from upbridge.cli.printable import shown
from upbridge.core.errors import Conflict
from upbridge.domain.lane import Lane
from upbridge.engine.lanes import exclusive
from upbridge.systems.base import System
from upbridge.systems.offers import State, TrialStep
from upbridge.worker_container import WorkerContainer

_STYLES: dict[State, str] = {"ok": "green", "warn": "yellow", "bad": "red", "skipped": "dim"}


def marked(state: State, line: str) -> Text:
    """*line* after its state, in the colour of that."""
    return Text.assemble((f"{'-' if state == 'skipped' else state:4}", _STYLES[state]), f" {shown(line)}")


def try_connection(system: System, shop: str, *, yes: bool, json: bool) -> None:
    """Look, ask, make. With *json* there is no question: without *yes* it only looks."""

    async def work(container: WorkerContainer) -> list[TrialStep]:
        found = await container.shops.find(shop)
        row = (await container.connections.of(found.id)).get(system.name)
        if row is None:
            raise Conflict(
                f"{found.key} is not connected to {system.title}:"
                f" `upbridge shops connect {found.key} {system.name}`"
            )
        assert system.trial is not None, "only systems that have one are offered"
        lane = Lane.push(found.id, system.name)
        trial = system.trial(container.connected.connection(found, row), lambda: exclusive(container.engine, lane))
        steps: list[TrialStep] = []
        async for step in trial.look():
            steps.append(step)
            _show(step, quiet=json)
        well = all(step.state != "bad" for step in steps)
        if not well or not (yes or (not json and typer.confirm(trial.question))):
            return steps
        async for step in trial.make():
            steps.append(step)
            _show(step, quiet=json)
        return steps

    steps = with_container(work)
    if json:
        print_json([asdict(step) for step in steps])
    if any(step.state == "bad" for step in steps):
        raise typer.Exit(1)


def _show(step: TrialStep, *, quiet: bool) -> None:
    if quiet:
        return
    out.print(marked(step.state, f"{step.step:28} {step.detail}"))
    if step.said is not None:
        out.print(f"     {step.request}: {step.status}")
        out.print(f"     {step.said}")

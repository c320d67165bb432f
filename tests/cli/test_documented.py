"""docs/cli.md shows what the commands print: every field, no other."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from tests.cli.documented import SECTIONS, compare, differences, example, shape
from tests.support.program import Database, Program
from upbridge.cli import app
from upbridge.maintenance import doctor
from upbridge.systems.registry import SYSTEMS


def without_settings(document: dict[str, Any]) -> dict[str, Any]:
    """The page shows some settings, the command prints all."""
    settings = document.get("settings", document)
    assert settings.keys() == SYSTEMS.settings.keys()
    shown = example("shops settings SHOP --json")
    assert [*differences(shape(shown), shape({key: settings[key] for key in shown}))] == []
    return {**document, "settings": {key: settings[key] for key in shown}}


def commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Every command and its words."""
    if not hasattr(command, "commands"):
        yield " ".join(path), command
        return
    for name, one in command.commands.items():
        yield from commands(one, (*path, name))


ALL = dict(commands(typer.main.get_command(app)))


def test_every_command_that_prints_json_has_its_section() -> None:
    speaking = {name for name, one in ALL.items() if any("--json" in parameter.opts for parameter in one.params)}
    described = {next(name for name in ALL if section.startswith(name)) for section in SECTIONS}

    assert speaking == described


def test_lists_and_shops(program: Program, database: Database) -> None:
    database.everything()

    compare("shops list --json", program("shops", "list", "--json").json)
    compare("shops show SHOP --json", without_settings(program("shops", "show", "garde", "--json").json))
    compare("problems list --json", program("problems", "list", "--json").json)
    compare("changes list --json", program("changes", "list", "--json").json)
    compare("outbox list --json", program("outbox", "list", "--json").json)
    compare("orders list SHOP --json", program("orders", "list", "garde", "--json").json)
    assert len(program("orders", "list", "garde", "--json", "--limit", "1").json) == 1
    compare("keys check --json", program("keys", "check", "--json").json)


def test_runs(program: Program, database: Database) -> None:
    database.everything()

    started = program("shops", "import", "garde", "--json").json
    reconciled = program("shops", "reconcile", "garde", "--json").json

    compare("shops show SHOP --json", without_settings(started))
    found = {name: reconciled.pop(name) for name in ("found", "complete")}
    compare("shops reconcile SHOP --json", found)
    compare("shops show SHOP --json", without_settings(reconciled))


def test_budget_and_settings(program: Program, database: Database) -> None:
    database.shop()
    program("shops", "settings", "garde", "budget.tariff=platinum")

    compare("shops budget SHOP --json", program("shops", "budget", "garde", "--json").json)
    without_settings(program("shops", "settings", "garde", "--json").json)
    compare(
        "shops renew SHOP --json",
        program("shops", "renew", "garde", "--webhooks", "--sessions", "--json").json,
    )


def test_what_needs_no_shop(program: Program) -> None:
    compare("accesses --json", program("accesses", "--json").json)
    assert program("accesses", "--format", "json").out == program("accesses", "--json").out
    numbers = ("--products", "1200", "--orders-per-day", "40", "--product-changes-per-day", "300")
    compare("plan --json", program("plan", "--tariff", "gold", *numbers, "--json").json)


def test_the_lists_that_are_promised(program: Program, database: Database) -> None:
    database.everything()
    [shop] = program("shops", "list", "--json").json
    [problem] = program("problems", "list", "--json").json

    assert {
        "id",
        "key",
        "token",
        "name",
        "state",
        "api_url",
        "version",
        "installed_at",
        "connections",
    } <= shop.keys()
    shown = program("shops", "show", "garde", "--json").json
    assert {"settings", "imports", "waiting", "uphance_webhook_url"} <= shown.keys()
    assert all({"total", "done", "state"} <= one.keys() for one in shown["imports"].values())
    assert problem.keys() == {"id", "shop", "key", "target", "kind", "entity", "message", "since"}


@pytest.mark.parametrize("name", sorted(ALL))
def test_every_command_explains_itself(program: Program, name: str) -> None:
    ended = program(*name.split(), "--help")

    assert (ended.code, ended.err) == (0, "")
    assert f" {name} " in " ".join(ended.out.split())
    assert ALL[name].help


def test_every_check_of_the_doctor_is_named() -> None:
    """The names that no system has are written in the modules that look."""
    trees = [ast.parse(path.read_text()) for path in Path(doctor.__path__[0]).glob("*.py")]
    calls = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call)]
    named = {
        call.args[0].value
        for call in calls
        if getattr(call.func, "id", "") == "Finding" and isinstance(call.args[0], ast.Constant)
    }

    assert "schema" in named
    [listed] = re.findall(r"`check` is ([^;]+) or the\s+name of a system", SECTIONS["doctor --json"])
    assert named == set(re.findall(r"`([a-z ]+)`", listed.replace("\n", " ")))

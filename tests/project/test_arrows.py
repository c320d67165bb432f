"""The rooms of the house and the arrows between them."""

import pytest

from tests.project import arrows


def test_no_import_goes_against_the_arrows() -> None:
    assert arrows.complaints() == []


def test_every_module_stands_in_a_room_of_the_plan() -> None:
    known = arrows.ROOMS.keys() | arrows.ASSEMBLY.keys() | arrows.ENTRANCES | {""}

    assert {name.split(".")[1] for name, _ in arrows.modules() if "." in name} - known == set()


@pytest.mark.parametrize(
    ("module", "source"),
    [
        pytest.param("upbridge.kit.clock", "import upbridge.errors", id="kit imports anything of ours"),
        pytest.param("upbridge.sync.pull", "from upbridge.pages import routes", id="sync imports pages"),
        pytest.param(
            "upbridge.budget.ledger", "from upbridge.systems import upgates", id="budget imports a system"
        ),
        pytest.param("upbridge.systems.upp.push", "from upbridge.systems.uphance import wire", id="upp, uphance"),
        pytest.param("upbridge_sandbox.shop", "from upbridge.kit import clock", id="sandbox imports the product"),
        pytest.param("upbridge_sandbox.demo", "import upbridge", id="demo imports the product"),
        pytest.param("upbridge_sandbox.shop", "from ..upbridge import schema", id="sandbox, a relative import"),
        pytest.param("upbridge.sync.pull", "import upbridge_sandbox", id="a room imports the sandbox"),
        pytest.param("upbridge.app", "from upbridge_sandbox import serve", id="the app imports the sandbox"),
        pytest.param("upbridge.inbox.service", "from upbridge.app import create_app", id="a room imports the app"),
        pytest.param("upbridge.shops.shop", "def f():\n    from upbridge.sync import x", id="inside a function"),
        pytest.param("upbridge.kit.clock", "from ..shops import rules", id="by a relative import"),
        pytest.param("upbridge.attic.things", "from upbridge.kit import clock", id="a room that nobody planned"),
    ],
)
def test_a_wrong_import_is_found(module: str, source: str) -> None:
    assert len(arrows.complaints(iter([(module, source)]))) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        pytest.param(
            "upbridge.systems.upp.push", "from upbridge.systems.delivery import Draft", id="shared words"
        ),
        pytest.param(
            "upbridge.systems.upp.push", "from upbridge.systems.upp.client import Upp", id="its own room"
        ),
        pytest.param("upbridge.sync.pull", "from upbridge import schema, errors", id="assembly"),
        pytest.param("upbridge.app", "from upbridge.pages import routes", id="the app puts all together"),
        pytest.param("upbridge_sandbox.demo", "from upbridge_sandbox.shop import Shop", id="demo and sandbox"),
        pytest.param("upbridge.cli.run", "from upbridge_sandbox.demo import run_demo", id="a command starts it"),
    ],
)
def test_a_right_import_passes(module: str, source: str) -> None:
    assert arrows.complaints(iter([(module, source)])) == []

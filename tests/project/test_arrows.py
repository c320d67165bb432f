"""The rooms of the house and the arrows between them."""

import pytest

from tests.project import arrows


def test_no_import_goes_against_the_arrows() -> None:
    assert arrows.complaints() == []


def test_no_system_names_another() -> None:
    assert arrows.names_of_others() == []


@pytest.mark.parametrize(
    ("module", "source", "found"),
    [
        ("upbridge.systems.upgates.target", 'body["uphance_order"]', 1),
        ("upbridge.systems.uphance.mapping", 'settings.text("upp.language")', 1),
        ("upbridge.systems.upp.mapping", '"""As Upp.ai writes it, in upper case."""', 0),
        ("upbridge.systems.uphance.mapping", '"the upper one supports it"', 0),
    ],
)
def test_a_name_of_another_system_is_found(module: str, source: str, found: int) -> None:
    assert len(arrows.names_of_others(iter([(module, source)]))) == found


def test_every_module_stands_in_a_room_of_the_plan() -> None:
    known = arrows.FLOOR.keys() | {""}

    assert {name.split(".")[1] for name, _ in arrows.modules() if "." in name} - known == set()


@pytest.mark.parametrize(
    ("module", "source"),
    [
        pytest.param("upbridge.core.clock", "import upbridge.settings", id="core imports anything of ours"),
        pytest.param("upbridge.domain.sku", "from upbridge.store import schema", id="domain imports a table"),
        pytest.param("upbridge.engine.puller", "from upbridge.web import routes", id="the engine imports pages"),
        pytest.param(
            "upbridge.engine.puller",
            "from upbridge.systems.upgates import client",
            id="the engine imports a system",
        ),
        pytest.param(
            "upbridge.installation.service",
            "from upbridge.systems.upgates.url_policy import HostPolicy",
            id="a door of the platform imports its folder",
        ),
        pytest.param("upbridge.rate_limits.ledger", "from upbridge.systems import upgates", id="an upper floor"),
        pytest.param(
            "upbridge.systems.upp.target", "from upbridge.systems.uphance import schemas", id="upp, uphance"
        ),
        pytest.param(
            "upbridge.systems.base", "from upbridge.systems.upp import client", id="the shared base, upp"
        ),
        pytest.param(
            "upbridge.systems.upp.target", "from upbridge.systems.registry import SYSTEMS", id="upp, the registry"
        ),
        pytest.param("upbridge.web.context", "from upbridge.webhooks import inbox", id="two rooms of one floor"),
        pytest.param(
            "upbridge.webhooks.inbox", "from upbridge.app import create_app", id="a room imports the app"
        ),
        pytest.param(
            "upbridge.domain.shop", "def f():\n    from upbridge.engine import x", id="inside a function"
        ),
        pytest.param("upbridge_sandbox.shop", "from upbridge.core import clock", id="sandbox imports the product"),
        pytest.param("upbridge_sandbox.demo", "import upbridge", id="demo imports the product"),
        pytest.param("upbridge_sandbox.shop", "from ..upbridge import app", id="sandbox, a relative import"),
        pytest.param("upbridge.engine.puller", "import upbridge_sandbox", id="a room imports the sandbox"),
        pytest.param("upbridge.app", "from upbridge_sandbox import serve", id="the app imports the sandbox"),
        pytest.param("upbridge.core.clock", "from ..store import shops", id="by a relative import"),
        pytest.param("upbridge.attic.things", "from upbridge.core import clock", id="a room that is not planned"),
    ],
)
def test_a_wrong_import_is_found(module: str, source: str) -> None:
    assert len(arrows.complaints(iter([(module, source)]))) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        pytest.param("upbridge.systems.upp.target", "from upbridge.systems.base import Target", id="shared base"),
        pytest.param(
            "upbridge.systems.upp.target", "from upbridge.systems.upp.client import Upp", id="its own room"
        ),
        pytest.param("upbridge.systems.registry", "from upbridge.systems.upp import system", id="the registry"),
        pytest.param("upbridge.engine.puller", "from upbridge.store import schema", id="a lower floor"),
        pytest.param("upbridge.app", "from upbridge.web import routes", id="the app puts all together"),
        pytest.param("upbridge_sandbox.demo", "from upbridge_sandbox.shop import Shop", id="demo and sandbox"),
        pytest.param("upbridge.cli.run", "from upbridge_sandbox.demo import run_demo", id="a command starts it"),
        pytest.param("upbridge.cli.run", "from upbridge.app import create_app", id="an entrance, an entrance"),
    ],
)
def test_a_right_import_passes(module: str, source: str) -> None:
    assert arrows.complaints(iter([(module, source)])) == []

"""The lock files say exactly what is installed, checked by hash, from wherever packages come."""

import re
import tomllib
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.project.documents import TOP

LOCKS = ("audit.lock", "bootstrap.lock", "requirements.lock", "requirements-dev.lock")
PROJECT: dict[str, Any] = tomllib.loads((TOP / "pyproject.toml").read_text())

_PIN = re.compile(
    r"^(?P<name>[a-z0-9-]+)==(?P<version>\S+)(?: ; .*?)? \\\n(?P<hashes>(?:    --hash=sha256:\S+.*\n)+)",
    re.MULTILINE,
)


def _pins(lock: str) -> dict[str, str]:
    return {pin["name"]: pin["version"] for pin in _PIN.finditer((TOP / lock).read_text())}


def _group(name: str) -> list[str]:
    """The requirements of a dependency group, its included groups' too."""
    found: list[str] = []
    for entry in PROJECT["dependency-groups"][name]:
        found += _group(entry["include-group"]) if isinstance(entry, dict) else [entry]
    return found


def _extras() -> list[str]:
    """What can be installed beside the rest."""
    return [entry for extra in PROJECT["project"]["optional-dependencies"].values() for entry in extra]


@pytest.mark.parametrize("lock", LOCKS)
def test_every_line_is_a_pin_with_hashes(lock: str) -> None:
    text = (TOP / lock).read_text()
    lines = [line for line in text.splitlines() if not line.startswith((" ", "#"))]

    assert len(lines) == len(_pins(lock)) > 0
    assert "://" not in text


@pytest.mark.parametrize(
    ("lock", "wanted"),
    [
        pytest.param("requirements.lock", PROJECT["project"]["dependencies"], id="run time"),
        pytest.param(
            "requirements-dev.lock",
            [*PROJECT["project"]["dependencies"], *_group("dev"), *_extras()],
            id="development",
        ),
        pytest.param("bootstrap.lock", _group("bootstrap"), id="bootstrap"),
        pytest.param("audit.lock", _group("audit"), id="audit"),
    ],
)
def test_the_lock_fits_what_the_project_asks_for(lock: str, wanted: list[str]) -> None:
    pins = _pins(lock)

    for requirement in map(Requirement, wanted):
        assert requirement.specifier.contains(pins[canonicalize_name(requirement.name)], prereleases=True)


def test_tests_run_on_what_production_installs() -> None:
    assert _pins("requirements.lock").items() <= _pins("requirements-dev.lock").items()


def test_the_wheel_is_built_by_what_is_locked() -> None:
    assert PROJECT["build-system"]["requires"] == PROJECT["dependency-groups"]["build"]


def test_the_job_library_keeps_its_minor_version() -> None:
    """Its tables come from its own schema file (migrations/versions/0001), so a new minor needs a migration."""
    (pin,) = [entry for entry in PROJECT["project"]["dependencies"] if entry.startswith("procrastinate")]

    assert re.fullmatch(r"procrastinate==\d+\.\d+\.\*", pin)

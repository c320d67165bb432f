"""What is installed from a wheel works without a checkout."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.project.documents import TOP, committed


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds what the wheel holds."""
    home = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(home)]
    subprocess.run(build, cwd=TOP, check=True, capture_output=True)
    (wheel,) = home.glob("upbridge-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(home / "site")
    return home / "site"


def _outside(installed: Path, tmp_path: Path, *arguments: str) -> str:
    """Run python on the wheel's content, in an empty folder, and return what it printed."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("UPBRIDGE_")}
    done = subprocess.run(
        [sys.executable, "-P", *arguments],
        cwd=tmp_path,
        env=environment | {"PYTHONPATH": str(installed), "UPBRIDGE_DATA_DIR": str(tmp_path / "var")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("folder", ["templates", "migrations", "locales"])
def test_everything_beside_the_code_is_inside(installed: Path, folder: str) -> None:
    packed = {
        str(path.relative_to(installed / "upbridge")) for path in (installed / "upbridge" / folder).rglob("*.*")
    }

    assert {str(path.relative_to(TOP)) for path in committed(folder)} <= packed


def test_nothing_but_the_two_packages_is_inside(installed: Path) -> None:
    assert {path.name.partition("-")[0] for path in installed.iterdir()} == {"upbridge", "upbridge_sandbox"}
    assert not (installed / "upbridge" / "src").exists()


def test_pages_of_the_simulated_systems_are_inside(installed: Path) -> None:
    templates = committed("src/upbridge_sandbox/templates")

    assert templates
    assert all((installed / path.relative_to(TOP / "src")).exists() for path in templates)


def test_a_tree_without_the_simulated_systems_makes_a_wheel_of_the_product_alone(tmp_path: Path) -> None:
    for name in ("pyproject.toml", "README.md", "LICENSE", "alembic.ini"):
        shutil.copy(TOP / name, tmp_path)
    for name in ("src/upbridge", "templates", "migrations", "locales"):
        shutil.copytree(TOP / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))

    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", "dist"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )

    (wheel,) = (tmp_path / "dist").glob("upbridge-*.whl")
    names = {name.partition("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {name for name in names if not name.endswith(".dist-info")} == {"upbridge"}


def test_texts_and_migrations_are_found_outside_a_checkout(installed: Path, tmp_path: Path) -> None:
    script = (
        "import upbridge, upbridge.core.package_files as p, upbridge.core.i18n as t;"
        "print(upbridge.__file__, p.package_file('migrations'), p.package_file('alembic.ini'));"
        "print(t.Texts('sk').get('error.try_again'))"
    )

    paths, text = _outside(installed, tmp_path, "-c", script).splitlines()

    assert all(path.startswith(str(installed)) for path in paths.split())
    assert text.startswith("Služba")


def test_the_program_migrates_an_embedded_database_outside_a_checkout(installed: Path, tmp_path: Path) -> None:
    _outside(installed, tmp_path, "-m", "upbridge", "migrate")

    assert (tmp_path / "var" / "postgres").is_dir()

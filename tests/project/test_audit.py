"""`make audit` says what it knows, and never that nothing is known where no source could be asked."""

import json
import sys
from pathlib import Path

import pytest

from tests.project.audit import CLEAN, NOT_CHECKED, VULNERABLE, Source, audit, summary

SOURCES = [Source("first", ("--one",)), Source("second", ("--two",))]
FOUND = {"id": "PYSEC-1", "fix_versions": ["2.11"], "aliases": ["CVE-1"]}


class Tools:
    """The two programs, as scripts that answer what a test says."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._script("cyclonedx-py", "open(sys.argv[-1], 'w').write('{}')")

    def _script(self, name: str, does: str) -> None:
        path = self.folder / name
        path.write_text(f"#!{sys.executable}\nimport json, sys\n{does}\n")
        path.chmod(0o755)

    def answer(self, *, canary: object, locked: object, only: str = "") -> None:
        """What pip-audit prints of the canary and of a lock; None: it reaches no source. *only*: if so asked."""
        self._script(
            "pip-audit",
            f"said = {canary!r} if 'canary.txt' in sys.argv[2] else {locked!r}\n"
            f"if said is None or {only!r} not in ['', *sys.argv]: sys.exit('cannot connect')\n"
            "print(json.dumps({'dependencies': said}))",
        )


@pytest.fixture
def tools(tmp_path: Path) -> Tools:
    (tmp_path / "bin").mkdir()
    return Tools(tmp_path / "bin")


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    path = tmp_path / "some.lock"
    path.write_text("jinja2==3.1.6 --hash=sha256:00\n")
    return path


def package(**more: object) -> list[dict[str, object]]:
    return [{"name": "jinja2", "version": "3.1.6", "vulns": [], **more}]


KNOWS = package(vulns=[FOUND])


def test_nothing_known_is_said_by_a_source_that_knows_what_is_known(tools: Tools, lock: Path) -> None:
    tools.answer(canary=KNOWS, locked=package())

    report = audit(tools.folder, lock.parent / "out", [lock], SOURCES)

    assert (report.code(strict=True), report.checked) == (CLEAN, "first")
    assert summary(report) == "first knows no vulnerability of what is locked.\n"
    assert json.loads((lock.parent / "out" / "report.json").read_text())["checked"] is True


def test_without_a_source_nothing_was_checked_and_the_bill_is_written(
    tools: Tools, lock: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tools.answer(canary=None, locked=None)

    report = audit(tools.folder, lock.parent / "out", [lock], SOURCES)

    assert (report.code(strict=False), report.code(strict=True)) == (CLEAN, NOT_CHECKED)
    assert summary(report).startswith("NOT CHECKED: no source")
    assert "cannot connect" in capsys.readouterr().err
    assert json.loads((lock.parent / "out" / "report.json").read_text())["checked"] is False
    assert (lock.parent / "out" / "some.cdx.json").exists()


@pytest.mark.parametrize("answer", [package(), [{"name": "jinja2", "skip_reason": "not found"}], []])
def test_an_index_that_answers_and_knows_no_advisories_is_no_source(
    tools: Tools, lock: Path, answer: object
) -> None:
    tools.answer(canary=answer, locked=package())

    report = audit(tools.folder, lock.parent / "out", [lock], SOURCES)

    assert report.checked is None
    assert "no clean bill of health" in summary(report)


def test_the_second_source_is_asked_where_the_first_is_silent(tools: Tools, lock: Path) -> None:
    tools.answer(canary=KNOWS, locked=package(), only="--two")

    assert audit(tools.folder, lock.parent / "out", [lock], SOURCES).checked == "second"


def test_what_is_vulnerable_is_named_with_its_fix(tools: Tools, lock: Path) -> None:
    tools.answer(canary=KNOWS, locked=KNOWS)

    report = audit(tools.folder, lock.parent / "out", [lock], SOURCES)

    assert report.code(strict=False) == VULNERABLE
    assert "some.lock: jinja2 3.1.6: PYSEC-1, fixed in 2.11" in summary(report)
    assert summary(report).splitlines()[-1].startswith("VULNERABLE")


def test_what_the_source_does_not_know_counts_as_not_checked(tools: Tools, lock: Path) -> None:
    tools.answer(canary=KNOWS, locked=[{"name": "own", "skip_reason": "own is not known"}])

    report = audit(tools.folder, lock.parent / "out", [lock], SOURCES)

    assert (report.code(strict=False), report.code(strict=True)) == (CLEAN, NOT_CHECKED)
    assert "own is not known" in summary(report)


def test_a_source_that_falls_silent_half_way_has_checked_nothing(tools: Tools, lock: Path) -> None:
    tools.answer(canary=KNOWS, locked=None)

    assert audit(tools.folder, lock.parent / "out", [lock], SOURCES[:1]).checked is None

"""What keeps the project in order beside its tests: workflows, hooks, the changelog, the version."""

import re
import tomllib
from itertools import pairwise
from typing import Any

import pytest
import yaml
from packaging.version import Version

import upbridge
from tests.project import check
from tests.project.documents import TOP, committed, make_targets

PROJECT: dict[str, Any] = tomllib.loads((TOP / "pyproject.toml").read_text())
CI_RUN = (TOP / ".ci/run").read_text()
CHANGELOG = (TOP / "CHANGELOG.md").read_text()

_PINNED = re.compile(r"^[\w.-]+/[\w.-]+@[0-9a-f]{40}$")
_RELEASE = re.compile(r"^## \[(?P<version>\d+\.\d+\.\d+)\] - (?P<when>\d{4}-\d\d-\d\d|Unreleased)$", re.MULTILINE)
_SECTIONS = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"]


def _yaml(name: str) -> dict[str, Any]:
    loaded = yaml.safe_load((TOP / name).read_text())
    assert isinstance(loaded, dict)
    return loaded


def _steps(name: str) -> list[dict[str, Any]]:
    jobs: dict[str, Any] = _yaml(f".github/workflows/{name}")["jobs"]
    return [step for job in jobs.values() for step in job["steps"]]


class TestWorkflows:
    def test_ci_runs_what_everybody_can_run(self) -> None:
        assert [step["run"] for step in _steps("ci.yml") if step.get("name") == "Everything"] == [".ci/run"]

    def test_ci_covers_every_supported_python_and_postgres(self) -> None:
        pairs = _yaml(".github/workflows/ci.yml")["jobs"]["run"]["strategy"]["matrix"]["include"]

        assert {pair["python"] for pair in pairs} == {"3.11", "3.12", "3.13", "3.14"}
        assert {pair["postgres"] for pair in pairs} == {"15", "16", "17", "18"}

    def test_the_postgres_of_the_matrix_is_the_one_that_the_tests_use(self) -> None:
        job = _yaml(".github/workflows/ci.yml")["jobs"]["run"]

        assert job["env"]["TEST_POSTGRES_BIN"] == "/usr/lib/postgresql/${{ matrix.postgres }}/bin"

    @pytest.mark.parametrize("name", ["ci.yml", "updates.yml"])
    def test_an_action_is_pinned_to_a_commit(self, name: str) -> None:
        used = [step["uses"] for step in _steps(name) if "uses" in step]

        assert used
        assert all(_PINNED.match(action) for action in used)

    def test_dependencies_are_updated(self) -> None:
        ecosystems = {entry["package-ecosystem"] for entry in _yaml(".github/dependabot.yml")["updates"]}

        assert {"github-actions", "docker"} <= ecosystems
        assert any("make lock" in step.get("run", "") for step in _steps("updates.yml"))


class TestHooks:
    HOOKS: list[dict[str, Any]] = _yaml(".pre-commit-config.yaml")["repos"][0]["hooks"]

    def test_they_download_nothing(self) -> None:
        assert [repository["repo"] for repository in _yaml(".pre-commit-config.yaml")["repos"]] == ["local"]
        assert {hook["language"] for hook in self.HOOKS} == {"system"}
        assert all(hook["entry"].startswith(".venv/bin/") for hook in self.HOOKS)

    def test_what_they_call_is_there(self) -> None:
        for hook in self.HOOKS:
            program, *words = hook["entry"].split()
            if program == ".venv/bin/python":
                module, *subjects = words[1:]
                assert (TOP / f"{module.replace('.', '/')}.py").exists()
                assert set(subjects) <= check.SUBJECTS.keys()

    def test_a_commit_s_message_is_looked_at(self) -> None:
        assert [hook["id"] for hook in self.HOOKS if hook.get("stages") == ["commit-msg"]] == ["commit-message"]


class TestVersion:
    def test_it_has_one_home(self) -> None:
        assert PROJECT["project"]["dynamic"] == ["version"]
        assert "version" not in PROJECT["project"]
        assert PROJECT["tool"]["hatch"]["version"]["path"] == "src/upbridge/__init__.py"
        named = [
            path for path in committed("*.py", "*.toml", "Dockerfile") if _names_the_version(path.read_text())
        ]
        assert named == [TOP / "src/upbridge/__init__.py"]

    def test_the_newest_entry_of_the_changelog_is_its(self) -> None:
        assert _RELEASE.findall(CHANGELOG)[0][0] == upbridge.__version__


def _names_the_version(text: str) -> bool:
    return f'"{upbridge.__version__}"' in text


class TestChangelog:
    def test_every_version_has_its_form_and_the_newest_comes_first(self) -> None:
        headings = re.findall(r"^## .*$", CHANGELOG, re.MULTILINE)
        versions = [Version(found["version"]) for found in _RELEASE.finditer(CHANGELOG)]

        assert len(versions) == len(headings) > 0
        assert all(newer > older for newer, older in pairwise(versions))

    def test_only_the_newest_version_may_be_unreleased(self) -> None:
        assert "Unreleased" not in [found["when"] for found in _RELEASE.finditer(CHANGELOG)][1:]

    def test_entries_stand_under_the_usual_sections_in_their_order(self) -> None:
        for entry in re.split(r"^## ", CHANGELOG, flags=re.MULTILINE)[1:]:
            sections = re.findall(r"^### (.*)$", entry, re.MULTILINE)

            assert sections == [name for name in _SECTIONS if name in sections]


class TestCoverage:
    def test_ci_measures_it_and_there_is_a_floor(self) -> None:
        assert "make test COVERAGE=1" in CI_RUN
        assert PROJECT["tool"]["coverage"]["report"]["fail_under"] >= 95
        assert "test" in make_targets()


@pytest.mark.parametrize(
    "name",
    [
        "SECURITY.md",
        ".editorconfig",
        ".github/pull_request_template.md",
        "docs/releasing.md",
    ],
)
def test_what_a_stranger_looks_for_is_there(name: str) -> None:
    assert (TOP / name).stat().st_size > 200

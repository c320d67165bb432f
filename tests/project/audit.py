"""`make audit`: a bill of materials of each lock file, and the known vulnerabilities of what is locked.

Whether a source of advisories can be reached is proved before it is believed: it has to know a vulnerability that
is known for years (`CANARY`). A package index that answers and carries no advisories would else pass for "nothing
is known". Ends with 0 if nothing is known, 1 if something is. Where no source was reached nothing was checked:
the last line and `report.json` (`"checked": false`) say so, and with `--strict` the exit code 3.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TOP = Path(__file__).parents[2]
TOOLS = TOP / ".audit" / "bin"
OUT = TOP / "dist" / "audit"

#: What is locked, and where it is used.
LOCKS = {
    "requirements.lock": "what production installs",
    "requirements-dev.lock": "what tests and checks install",
    "bootstrap.lock": "the installer and the build",
    "audit.lock": "the tools of this very check",
}

#: A package with advisories since 2019: a source that knows of none knows nothing.
CANARY = "jinja2==2.10 --hash=sha256:74c935a1b8bb9a3947c50a54766a969d4846290e1e788ea44c1392163723c3bd"
CLEAN, VULNERABLE, NOT_CHECKED = 0, 1, 3


@dataclass(frozen=True, slots=True)
class Source:
    """Where advisories come from: the options with which pip-audit asks there."""

    name: str
    options: tuple[str, ...]


@dataclass(slots=True)
class Report:
    """What an audit has found. *checked* None: no source could be reached. *skipped* are packages that the source
    does not know."""

    checked: str | None = None
    vulnerabilities: list[dict[str, Any]] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)

    def code(self, *, strict: bool) -> int:
        """How the audit ends."""
        if self.vulnerabilities:
            return VULNERABLE
        return NOT_CHECKED if strict and (self.checked is None or self.skipped) else CLEAN


def bill_of_materials(tools: Path, lock: Path, out: Path) -> Path:
    """Write the bill of what *lock* pins as CycloneDX JSON; raises `CalledProcessError` if that fails."""
    made = out / f"{lock.stem}.cdx.json"
    options = ("--output-reproducible", "--output-format", "JSON", "--output-file", str(made))
    subprocess.run([tools / "cyclonedx-py", "requirements", lock, *options], check=True)
    return made


def ask(tools: Path, source: Source, lock: Path) -> list[dict[str, Any]] | None:
    """What *source* says of each package that *lock* pins; None if it could not be asked."""
    # Pinned and hashed, so that nothing is installed or resolved: one question for each package.
    options = (
        "--require-hashes",
        "--disable-pip",
        "--format",
        "json",
        "--progress-spinner",
        "off",
        "--timeout",
        "15",
    )
    asked = subprocess.run(
        [tools / "pip-audit", "--requirement", lock, *options, *source.options],
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        said: list[dict[str, Any]] = json.loads(asked.stdout)["dependencies"]
    except (ValueError, KeyError):  # it ends with 1 for what it finds, and for what it cannot reach
        sys.stderr.write(f"{source.name}: {(asked.stderr.strip().splitlines() or ['no answer'])[-1]}\n")
        return None
    return said


def knows_advisories(tools: Path, source: Source) -> bool:
    """Whether *source* can be reached, and knows what has been known for years."""
    with tempfile.TemporaryDirectory() as folder:
        canary = Path(folder) / "canary.txt"
        canary.write_text(CANARY + "\n")
        said = ask(tools, source, canary)
    if said is not None and not any(one.get("vulns") for one in said):
        sys.stderr.write(f"{source.name}: it answers, and knows no advisories\n")
    return said is not None and any(one.get("vulns") for one in said)


def audit(tools: Path, out: Path, locks: Sequence[Path], sources: Sequence[Source]) -> Report:
    """Write the bills of materials, ask the first source that knows advisories, and write `report.json`."""
    out.mkdir(parents=True, exist_ok=True)
    for lock in locks:
        sys.stdout.write(f"{bill_of_materials(tools, lock, out)}\n")
    report = Report()
    for source in sources:
        if knows_advisories(tools, source):
            said = {lock: ask(tools, source, lock) for lock in locks}
            if all(one is not None for one in said.values()):
                report.checked = source.name
                for lock, packages in said.items():
                    _judge(report, lock, packages or [])
                break
    (out / "report.json").write_text(
        json.dumps(
            {
                "checked": report.checked is not None,
                "source": report.checked,
                "vulnerabilities": report.vulnerabilities,
                "skipped": report.skipped,
            },
            indent=2,
        )
        + "\n"
    )
    return report


def _judge(report: Report, lock: Path, packages: Sequence[dict[str, Any]]) -> None:
    for package in packages:
        if "skip_reason" in package:
            report.skipped.append(f"{lock.name}: {package['skip_reason']}")
        report.vulnerabilities += [
            {
                "lock": lock.name,
                "package": package["name"],
                "version": package["version"],
                "id": found["id"],
                "aliases": found.get("aliases", []),
                "fixed_in": found.get("fix_versions", []),
            }
            for found in package.get("vulns", [])
        ]


def summary(report: Report) -> str:
    """The outcome, for people; the last line is the verdict."""
    lines = [
        "{lock}: {package} {version}: {id}, fixed in {fixed}".format(
            fixed=", ".join(one["fixed_in"]) or "-", **one
        )
        for one in report.vulnerabilities
    ]
    lines += [f"not known to {report.checked}, so not checked: {one}" for one in report.skipped]
    if report.checked is None:
        lines.append("NOT CHECKED: no source of advisories could be reached. This is no clean bill of health.")
    elif report.vulnerabilities:
        lines.append(f"VULNERABLE: {report.checked} knows {len(report.vulnerabilities)} vulnerabilities.")
    else:
        lines.append(f"{report.checked} knows no vulnerability of what is locked.")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Audit this checkout."""
    parser = argparse.ArgumentParser(prog="make audit", description=__doc__)
    parser.add_argument("--strict", action="store_true", help="end with 3 where nothing could be checked")
    parser.add_argument("--osv-url", help="another address of the OSV query API")
    given = parser.parse_args()
    osv = ("--vulnerability-service", "osv", *(("--osv-url", given.osv_url) if given.osv_url else ()))
    sources = [Source("PyPI", ("--vulnerability-service", "pypi")), Source("OSV", osv)]
    report = audit(TOOLS, OUT, [TOP / lock for lock in LOCKS], sources)
    sys.stdout.write(summary(report))
    return report.code(strict=given.strict)


if __name__ == "__main__":
    sys.exit(main())

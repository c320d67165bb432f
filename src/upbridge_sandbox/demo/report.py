"""The demo's last page: what flowed, how fast, with how many calls, and what was wrong."""

from dataclasses import asdict, dataclass, field
from typing import Any

from rich.console import Console
from rich.table import Table

from upbridge_sandbox.demo.call_bound import Bound
from upbridge_sandbox.demo.compare import DIFFERENT, DOUBLED, LOST, SILENT, UNWANTED, Finding, Verdict

MOST_CALLS = 1.1
"""A day's faults come at other moments each time, and with them the second looks: 1.00 to 1.06 were seen, also
where a day took three times as long as on an idle machine."""
MOST_RESTORED = 1.1
"""Calls after the restore, as a share of those of the whole day before."""
WEBHOOK_LIMIT = 1.0
MOST_MEMORY = 300
SHOWN = 15
_KINDS = (LOST, DOUBLED, DIFFERENT, UNWANTED, SILENT)


@dataclass(slots=True)
class Report:
    """Everything that the demo measured."""

    verdicts: list[Verdict] = field(default_factory=list)
    restored: list[Verdict] = field(default_factory=list)
    """The flows after the morning's backup was put back at the end of the day."""
    restored_calls: tuple[int, int] = (0, 0)
    """The calls of Upgates that followed from it, and those before."""
    late: list[Finding] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    captured: int = 0
    changes: dict[str, int] = field(default_factory=dict)
    moves: int = 0
    """How often a list moved while the safety net read it."""
    webhooks: dict[str, Any] = field(default_factory=dict)
    bound: Bound | None = None
    violations: list[dict[str, Any]] = field(default_factory=list)
    problems: int = 0
    strange_problems: list[dict[str, Any]] = field(default_factory=list)
    memory: dict[str, int] = field(default_factory=dict)
    processor: dict[str, float] = field(default_factory=dict)

    def failures(self) -> list[str]:
        """Every reason why this is not a success, in a sentence each."""
        found = [*_wrong(self.verdicts, ""), *_wrong(self.restored, "after the restore, ")]
        after, before = self.restored_calls
        if after > before * MOST_RESTORED:
            found.append(f"{after} Upgates calls after the restore, {before} before")
        if self.late:
            found.append(f"{len(self.late)} announced changes had not arrived before the safety net ran")
        if self.violations:
            found.append(f"{len(self.violations)} requests broke a published rule")
        if self.webhooks.get("max") is None or self.webhooks["max"] >= WEBHOOK_LIMIT:
            found.append(
                f"a webhook was answered after {self.webhooks.get('max')} s, the limit is {WEBHOOK_LIMIT} s"
            )
        if self.bound is not None and self.bound.ratio > MOST_CALLS:
            found.append(f"{self.bound.made} Upgates calls where {self.bound.needed} would do")
        if not self.moves:
            found.append("no list moved while it was read")
        if self.strange_problems:
            found.append(f"{len(self.strange_problems)} problems that should not be")
        found += [f"{name} held {size} MB" for name, size in self.memory.items() if size > MOST_MEMORY]
        return found

    def as_json(self) -> dict[str, Any]:
        """The report as one JSON document."""
        bound = self.bound
        return {
            "ok": not self.failures(),
            "failures": self.failures(),
            "flows": [
                {
                    "flow": verdict.flow,
                    "expected": verdict.origins,
                    "there": verdict.copies,
                    "parked": verdict.parked,
                    "seconds": self.seconds.get(verdict.flow),
                    **{kind: verdict.count(kind) for kind in _KINDS},
                }
                for verdict in self.verdicts
            ],
            "findings": [asdict(item) for verdict in self.verdicts for item in verdict.findings],
            "late": [asdict(item) for item in self.late],
            "seconds": self.seconds,
            "captured": self.captured,
            "changes": self.changes,
            "moves": self.moves,
            "webhooks": self.webhooks,
            "calls": bound
            and {
                "made": bound.made,
                "needed": bound.needed,
                "ratio": round(bound.ratio, 2),
                "parts": bound.parts,
                "operations": bound.operations,
            },
            "restored": {
                "calls": self.restored_calls[0],
                **{kind: sum(verdict.count(kind) for verdict in self.restored) for kind in _KINDS},
                "findings": [asdict(item) for verdict in self.restored for item in verdict.findings],
            },
            "violations": self.violations,
            "problems": self.problems,
            "unexpected_problems": self.strange_problems,
            "memory_mb": self.memory,
            "cpu_seconds": self.processor,
        }

    def show(self, console: Console) -> None:
        """Print it for a person."""
        console.print(self._flows())
        console.print(self._figures())
        flows = (*self.verdicts, *self.restored)
        findings = [item for verdict in flows for item in verdict.findings] + self.late
        for item in findings[:SHOWN]:
            console.print(f"[red]{item.flow}[/] {item.entity}: {item.kind} {item.detail}", highlight=False)
        for violation in self.violations[:SHOWN]:
            line = f"{violation['system']} {violation['request']}: {violation['says']} ({violation['detail']})"
            console.print(f"[red]{violation['rule']}[/] {line}", highlight=False)
        for row in self.strange_problems[:SHOWN]:
            console.print(f"[red]problem[/] {row.get('entity')}: {row.get('message')}", highlight=False)
        failures = self.failures()
        for failure in failures:
            console.print(f"[bold red]✗[/] {failure}")
        if not failures:
            console.print("[bold green]✓ nothing lost, nothing doubled, nothing late, no rule broken[/]")

    def _steps(self) -> list[tuple[str, float]]:
        flows = {verdict.flow for verdict in self.verdicts}
        return [(name, value) for name, value in self.seconds.items() if name not in flows]

    def _flows(self) -> Table:
        table = Table(title="Every copy compared with its origin", title_justify="left")
        table.add_column("flow", no_wrap=True)
        for name in ("expected", "there", "parked", "seconds", LOST, DOUBLED, DIFFERENT, UNWANTED, SILENT):
            table.add_column(name, justify="right")
        for verdict in self.verdicts:
            seconds = self.seconds.get(verdict.flow)
            table.add_row(
                verdict.flow,
                str(verdict.origins),
                str(verdict.copies),
                str(verdict.parked),
                "" if seconds is None else f"{seconds:.1f} s",
                *(_count(verdict.count(kind)) for kind in _KINDS),
            )
        return table

    def _figures(self) -> Table:
        table = Table(show_header=False, box=None, pad_edge=False)
        table.add_column(style="dim")
        table.add_column()
        changes = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in self.changes.items())
        if self.captured:
            table.add_row("captured", f"{self.captured} products and orders of real shops among them")
        table.add_row("changes", f"{sum(self.changes.values())}: {changes}")
        hooks = self.webhooks
        if hooks:
            table.add_row(
                "webhooks",
                f"{hooks['count']} calls with {hooks['records']} records; answered in p50 {_ms(hooks['p50'])},"
                f" p99 {_ms(hooks['p99'])}, max {_ms(hooks['max'])} (limit 1 s);"
                f" {hooks['lost']} records lost on purpose",
            )
        table.add_row("moving lists", f"{self.moves} times a list moved while the safety net read it")
        if self.bound is not None:
            bound = self.bound
            table.add_row(
                "Upgates calls", f"{bound.made}; pages and batches alone are {bound.needed}: {bound.ratio:.2f} x"
            )
        if self.restored:
            counted = ", ".join(f"{sum(one.count(kind) for one in self.restored)} {kind}" for kind in _KINDS)
            table.add_row(
                "restore", f"the morning's backup put back: {counted}; {self.restored_calls[0]} calls of Upgates"
            )
        table.add_row("problems", f"{self.problems} listed for a person, as they should be")
        table.add_row("rules broken", str(len(self.violations)))
        table.add_row("memory", ", ".join(f"{name} {size} MB" for name, size in self.memory.items()))
        table.add_row("processor", ", ".join(f"{name} {value} s" for name, value in self.processor.items()))
        table.add_row("steps", ", ".join(f"{name} {value:.1f} s" for name, value in self._steps()))
        return table


def _wrong(verdicts: list[Verdict], when: str) -> list[str]:
    """What is wrong with the copies, a line for each flow and kind."""
    return [
        f"{when}{verdict.flow}: {count} {kind}"
        for verdict in verdicts
        for kind in _KINDS
        if (count := verdict.count(kind))
    ]


def _count(value: int) -> str:
    return f"[bold red]{value}[/]" if value else "[green]0[/]"


def _ms(seconds: float | None) -> str:
    return "–" if seconds is None else f"{seconds * 1000:.0f} ms"  # noqa: RUF001

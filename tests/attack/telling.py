"""What a run of the attacks says while it lasts, and what it keeps: each row as it ends, in a file as well."""

import asyncio
import json
import platform
import signal
import time
from collections.abc import Coroutine, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import psutil
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tests.attack.scale import Scale
from tests.attack.verdicts import Verdict, outcome


class Telling(AbstractContextManager["Telling"]):
    """Tells *console* a line for each attack as it ends, above a bar on a terminal.

    What has ended is kept in *file*, so that a run that is broken off has not been for nothing."""

    def __init__(
        self, console: Console, names: Sequence[str], *, scale: Scale, seed: int, file: Path | None = None
    ) -> None:
        self.verdicts: list[Verdict] = []
        self._names, self._scale, self._seed, self._file = names, scale, seed, file
        self._console, self._at, self._load = console, datetime.now(UTC), psutil.getloadavg()
        self._began = time.monotonic()
        columns = TextColumn("{task.description:28}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
        self._progress = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._bar = self._progress.add_task("starting", total=len(names))

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def begins(self, name: str) -> None:
        """The attack *name* begins."""
        self._progress.update(self._bar, description=name)
        self._began = time.monotonic()

    def ended(self, verdict: Verdict) -> None:
        """An attack has ended with that verdict."""
        self.verdicts.append(verdict)
        verdict.cells["seconds"] = round(time.monotonic() - self._began, 1)
        place = f"{len(self.verdicts):2}/{len(self._names)}"
        cells = verdict.cells
        line = f"{place} {verdict.name:28} {cells['seconds']:5.1f} s  {_times(cells)}{outcome(verdict)}"
        self._console.print(escape(line), highlight=False, soft_wrap=True)
        self._progress.advance(self._bar)
        if self._file is not None:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            self._file.write_text(self.document() + "\n")

    @property
    def fuzzed(self) -> int:
        """So many odd requests were sent."""
        return sum(one.cells.get("sent", 0) for one in self.verdicts)

    def document(self) -> str:
        """All that is known, as JSON."""
        found: dict[str, Any] = {
            "at": self._at.isoformat(timespec="seconds"),
            "machine": {
                "python": platform.python_version(),
                "processors": psutil.cpu_count(),
                "load_before": self._load,
            },
            "seed": self._seed,
            "row_seconds": self._scale.seconds,
            "wanted": list(self._names),
            "fuzzed_requests": self.fuzzed,
            "rows": [
                {"name": one.name, **one.cells, "missed": list(one.missed), "unjudged": list(one.unjudged)}
                for one in self.verdicts
            ],
        }
        return json.dumps(found, ensure_ascii=False, indent=1)


def _times(cells: dict[str, Any]) -> str:
    if "p99_ms" not in cells:
        return ""
    return f"p99 {cells['p99_ms']:g} ms of {cells['limit_ms']:g}, loop held {cells['held_ms']:g} ms, "


async def until_told(work: Coroutine[Any, Any, None]) -> bool:
    """Whether *work* came to its end: Ctrl-C and SIGTERM cancel it, and what was told until then stays."""
    made = asyncio.create_task(work)
    for ending in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(ending, made.cancel)
    try:
        await made
    except asyncio.CancelledError:
        return False
    finally:
        for ending in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().remove_signal_handler(ending)
    return True

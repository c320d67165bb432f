"""The program's commands, each in a process of its own that need not load the program first.

A start takes a second or two of a processor, most of it for the libraries; a demo types a dozen commands, and what
it measures waits for them. So one process loads the program once and splits off a copy of itself for each command
(`multiprocessing`'s fork server): what a command does, prints and answers is the same.
"""

import multiprocessing
import os
import runpy
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext
from pathlib import Path
from tempfile import TemporaryDirectory

PROGRAM = "upbridge"
_USED = (f"{PROGRAM}.cli.shops", f"{PROGRAM}.cli.queues")
"""The modules of the commands that the demo runs: loaded once, for all of them."""
_ELSEWHERE = "PYTHONPATH"


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended, and what it wrote."""

    code: int | None
    stdout: str
    stderr: str


@dataclass(frozen=True, slots=True)
class Commands:
    """Runs commands; the first one waits until the program is loaded."""

    context: ForkServerContext = field(default_factory=lambda: multiprocessing.get_context("forkserver"))

    def load(self) -> None:
        """Begin to load the program, without waiting for it."""
        self.context.set_forkserver_preload([*_USED, __name__])
        forkserver.ensure_running()

    def run(
        self,
        arguments: Sequence[str],
        *,
        environment: Mapping[str, str],
        directory: Path,
        stdin: str | None,
        seconds: float,
    ) -> Done:
        """Run the program with *arguments* to its end. One that takes longer than *seconds* is ended.

        Where the *environment* names another place to load it from, it is loaded from there.
        """
        if environment.get(_ELSEWHERE) != os.environ.get(_ELSEWHERE):
            return _loaded_anew(arguments, environment, directory, stdin, seconds)
        with TemporaryDirectory(prefix="command-", dir=directory) as place:
            given = Path(place)
            (given / "stdin").write_text(stdin or "")
            process = self.context.Process(
                target=_command, args=(list(arguments), dict(environment), str(directory), place)
            )
            process.start()
            process.join(seconds)
            if process.is_alive():
                process.terminate()
                process.join()
            said = [(given / name).read_text() if (given / name).exists() else "" for name in ("stdout", "stderr")]
            return Done(process.exitcode, *said)


def _loaded_anew(
    arguments: Sequence[str], environment: Mapping[str, str], directory: Path, stdin: str | None, seconds: float
) -> Done:
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-m", PROGRAM, *arguments],
        env=environment,
        cwd=directory,
        input=stdin or "",
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def _command(arguments: list[str], environment: dict[str, str], directory: str, place: str) -> None:
    """What the copy does: become the command."""
    for number, (name, how) in enumerate((("stdin", os.O_RDONLY), ("stdout", _WRITE), ("stderr", _WRITE))):
        os.dup2(os.open(f"{place}/{name}", how, 0o600), number)
    sys.stdin, sys.stdout, sys.stderr = os.fdopen(0), os.fdopen(1, "w"), os.fdopen(2, "w")
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(directory)
    sys.argv = [PROGRAM, *arguments]
    runpy.run_module(PROGRAM, run_name="__main__", alter_sys=True)


_WRITE = os.O_WRONLY | os.O_CREAT

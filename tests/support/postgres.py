"""A throw-away Postgres made of binaries that are installed on this machine."""

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import psycopg

from upbridge.store.schema import metadata

#: The folder with `initdb` and `pg_ctl` of the Postgres to test on; unset: the embedded one.
BIN_VARIABLE = "TEST_POSTGRES_BIN"
#: The oldest Postgres that is supported, where Debian installs it.
OLDEST = Path("/usr/lib/postgresql/15/bin")

#: The tests of all workers together open many connections; nothing here has to survive a power failure.
_SETTINGS = {"max_connections": "500", "fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


_OURS = (table.name for table in reversed(metadata.sorted_tables))
_TABLES = ["procrastinate_jobs", "procrastinate_workers", *_OURS]
_EMPTY = "".join(f"DELETE FROM {table};" for table in _TABLES).encode()


def emptied(address: str) -> str:
    """*address*, after every row in the database there has gone."""
    with psycopg.connect(address, autocommit=True) as tx:
        tx.execute(_EMPTY)
    return address


def chosen_bin() -> Path | None:
    """The folder in `TEST_POSTGRES_BIN`, None if unset. Raises `FileNotFoundError` if it is wrong."""
    name = os.environ.get(BIN_VARIABLE)
    if not name:
        return None
    if not (Path(name) / "initdb").exists():
        raise FileNotFoundError(f"{BIN_VARIABLE}: there is no initdb in {name}")
    return Path(name)


class InstalledPostgres:
    """A server that listens on a socket only, in a folder of its own; `close` stops it and deletes the folder."""

    def __init__(self, binaries: Path) -> None:
        self._bin = binaries
        self._home = Path(tempfile.mkdtemp(prefix="upbridge-pg-"))
        self._owner = _owner()
        if self._owner:
            os.chown(self._home, self._owner["user"], self._owner["group"])

    def start(self) -> str:
        """Make the cluster and start it; returns its address."""
        options = " ".join(f"-c {name}={value}" for name, value in _SETTINGS.items())
        self._run("initdb", "--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-sync")
        where = f"-c listen_addresses= -c unix_socket_directories={self._home}"
        self._run("pg_ctl", "start", "--wait", "--log", str(self._home / "log"), "--options", f"{where} {options}")
        return f"postgresql://postgres@/postgres?host={self._home}"

    def close(self) -> None:
        """Stop the server and delete what it stored."""
        self._run("pg_ctl", "stop", "--mode=immediate")
        shutil.rmtree(self._home)

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._bin / program), *arguments, "--pgdata", str(self._home / "data")]
        subprocess.run(command, check=True, capture_output=True, cwd=self._home, **self._owner)


def _owner() -> dict[str, Any]:
    """Who runs the server: Postgres refuses root, so root lends it a user that owns nothing else here."""
    if os.geteuid() != 0:
        return {}
    user = next(entry for name in ("postgres", "nobody") for entry in pwd.getpwall() if entry.pw_name == name)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}

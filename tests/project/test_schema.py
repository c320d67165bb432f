"""The migrations on Debian's own Postgres 15, the oldest that is supported."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.project import models
from upbridge.store.migrate import migrate
from upbridge.store.schema import HEAD

BIN = Path("/usr/lib/postgresql/15/bin")

pytestmark = pytest.mark.skipif(not (BIN / "initdb").exists(), reason=f"no Postgres 15 in {BIN}")


def _owner() -> dict[str, Any]:
    """Who runs the server: Postgres refuses root, so root lends it a user that owns nothing else here."""
    if os.geteuid() != 0:
        return {}
    user = next(entry for name in ("postgres", "nobody") for entry in pwd.getpwall() if entry.pw_name == name)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


@pytest.fixture(scope="module")
def postgres_15() -> Iterator[str]:
    """The address of an empty database on a Postgres 15 that listens on a socket only."""
    home = Path(tempfile.mkdtemp(prefix="upbridge-15-"))
    owner = _owner()
    if owner:
        os.chown(home, owner["user"], owner["group"])
    data = home / "data"

    def run(*command: str | Path) -> None:
        subprocess.run(command, check=True, capture_output=True, cwd=home, **owner)

    run(BIN / "initdb", "--pgdata", data, "--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-sync")
    options = f"-c listen_addresses= -c unix_socket_directories={home} -c fsync=off"
    run(BIN / "pg_ctl", "start", "--wait", "--pgdata", data, "--log", home / "log", "--options", options)
    yield f"postgresql://postgres@/postgres?host={home}"
    run(BIN / "pg_ctl", "stop", "--mode=immediate", "--pgdata", data)
    shutil.rmtree(home)


def test_the_migrations_make_the_declared_tables_on_postgres_15(postgres_15: str) -> None:
    with psycopg.connect(postgres_15) as connection:
        assert connection.info.server_version // 10_000 == 15

    assert models.differences(postgres_15) == []


def test_migrating_again_changes_nothing_on_postgres_15(postgres_15: str) -> None:
    assert migrate(postgres_15) == migrate(postgres_15) == HEAD

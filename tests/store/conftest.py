"""What the tests of the store share."""

from pathlib import Path

import psycopg
import pytest

from tests.support.postgres import url_of


@pytest.fixture
def empty_url(postgres: str, tmp_path: Path) -> str:
    name = f"empty_{tmp_path.name}".replace("-", "_").lower()
    with psycopg.connect(postgres, autocommit=True) as tx:
        tx.execute(f'CREATE DATABASE "{name}"'.encode())
    return url_of(postgres, name)

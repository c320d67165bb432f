"""One testbed for all browser tests, a fresh browser for each."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from playwright.sync_api import BrowserContext

from tests.browser.furnished import Furnished, furnished
from tests.browser.testbed import Testbed, chromium, open_testbed
from tests.support.postgres import url_of
from tests.support.shops import KEY


@pytest.fixture(scope="session")
def testbed_database(postgres: str, template: str) -> str:
    """The address of the testbed's own migrated database."""
    return _migrated(postgres, template)


@pytest.fixture(scope="session")
def testbed(testbed_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Testbed]:
    """The testbed, up once for all browser tests."""
    with open_testbed(tmp_path_factory.mktemp("testbed"), database_url=testbed_database, encryption_key=KEY) as up:
        yield up


@pytest.fixture(scope="session")
def house(postgres: str, template: str) -> Iterator[Furnished]:
    """The pages over a database of their own, in which it is noon for everybody."""
    with furnished(_migrated(postgres, template), KEY, rehearses=True) as up:
        yield up


@pytest.fixture(scope="session")
def unrehearsed(postgres: str, template: str) -> Iterator[Furnished]:
    """As `house`, but a change of rules is shown without asking Uphance.

    It has a database of its own: a login at the testbed, whose clock is today's, prunes the sessions of noon."""
    with furnished(_migrated(postgres, template), KEY) as up:
        yield up


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[BrowserContext]:
    """A fresh Chromium."""
    with chromium(tmp_path / "profile") as context:
        yield context


def _migrated(postgres: str, template: str) -> str:
    """The address of a new database."""
    name = f"browser_{uuid4().hex[:8]}"
    with psycopg.connect(postgres, autocommit=True) as tx:
        tx.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"'.encode())
    return url_of(postgres, name)

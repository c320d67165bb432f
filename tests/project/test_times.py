"""Moments are the clock's: what a row keeps of time is an argument, so that rules about it can be tried out."""

import re
from pathlib import Path

import pytest
from sqlalchemy import DefaultClause

import upbridge
from tests.project.tables import OWNERS
from upbridge.store.schema import metadata

ROOM = Path(upbridge.__file__).parent

#: Where the database's own time is meant, and why.
ITS_OWN = {
    "store/job_library.py": "the job library writes the heartbeats of workers by it",
    "jobs.py": "the job library writes its events by it",
    "store/skus.py": "when a SKU last differed: for people, nothing is decided by it",
    "store/metric_samples.py": "when a process was last heard of, on whatever machine",
}

#: The module that declares the tables: a default is no statement.
DECLARED = "store/schema.py"

_NOW = re.compile(r"(?<![\w.])now\(\)|\bfunc\.now\(\)")
_INSERT = re.compile(r"INSERT INTO (\w+)\s*\(([^)]*)\)")


def moments(table: str) -> set[str]:
    """The columns of *table* that the database would fill with its own time."""
    return {
        column.name
        for column in metadata.tables[table].columns
        if isinstance(column.server_default, DefaultClause) and "now" in str(column.server_default.arg)
    }


SOURCES = {str(path.relative_to(ROOM)): path.read_text() for path in sorted(ROOM.rglob("*.py"))}
INSERTS = [
    pytest.param(table, names, id=f"{place}:{table}")
    for place, source in SOURCES.items()
    for table, names in _INSERT.findall(source)
    if table in metadata.tables
]


#: Tables into which a module of `store` inserts by SQLAlchemy Core, with the module.
CORE = [
    pytest.param(table, place, id=f"{place}:{table}")
    for table, owner in OWNERS.items()
    if table in metadata.tables and moments(table)
    for place in [owner.removeprefix("upbridge.").replace(".", "/") + ".py"]
    if re.search(r"\binsert\(", SOURCES.get(place, ""))
]


@pytest.mark.parametrize(("table", "place"), CORE)
def test_a_module_that_inserts_by_core_names_each_moment(table: str, place: str) -> None:
    assert {name for name in moments(table) if not re.search(rf"\b{name}\b", SOURCES[place])} == set()


@pytest.mark.parametrize(("table", "names"), INSERTS)
def test_who_writes_a_row_says_when(table: str, names: str) -> None:
    assert moments(table) <= {name.strip() for name in names.split(",")}


def test_the_database_is_asked_for_the_time_only_where_its_own_is_meant() -> None:
    assert {place for place in SOURCES if place != DECLARED and _NOW.search(SOURCES[place])} == ITS_OWN.keys()


def test_the_walk_sees_what_it_looks_for() -> None:
    assert moments("links") == {"updated_at"}
    assert moments("changes") == {"marked_at", "due_at"}
    assert len(INSERTS) + len(CORE) > 15

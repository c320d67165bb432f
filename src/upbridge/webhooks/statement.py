"""The one statement that stores deliveries and marks what they announce, for all shops that have some.

Composed once of what the owners of the tables export, and executed without SQLAlchemy.
"""

from collections.abc import Mapping
from enum import IntEnum
from typing import Any

from sqlalchemy import (
    ColumnElement,
    DateTime,
    Integer,
    TableValuedAlias,
    Text,
    Uuid,
    bindparam,
    case,
    cast,
    column,
    func,
    literal_column,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY

from upbridge.store import changes, deliveries, gatherings, shops
from upbridge.store.sql import for_driver

#: Between the parts of a list, and between lists; no key holds one (`parsing` takes printable ones only).
SEPARATOR, LISTS = "\x1f", "\x1e"
_BETWEEN: ColumnElement[str] = literal_column("E'\\x1f'", Text)
_NO_KEYS: ColumnElement[Any] = literal_column("'{}'::text[]", ARRAY(Text))
_BETWEEN_LISTS: ColumnElement[str] = literal_column("E'\\x1e'", Text)
_NUMBERS = ARRAY(Integer)


def _list(name: str) -> ColumnElement[Any]:
    """A list of texts that travels as one text: of 5,000 keys that is a tenth of the work that an array is."""
    return _split(bindparam(name, type_=Text), _BETWEEN)


def _split(texts: ColumnElement[str], between: ColumnElement[str]) -> ColumnElement[Any]:
    return func.string_to_array(texts, between, type_=ARRAY(Text))


def _unnested(name: str, lists: Mapping[str, ColumnElement[Any]], **more: str) -> TableValuedAlias:
    """Lists of the same length as a table *name*, a column for each."""
    columns = []
    for one, values in lists.items():
        assert isinstance(values.type, ARRAY)
        columns.append(column(one, values.type.item_type))
    return func.unnest(*lists.values()).table_valued(*columns, **more).render_derived(name=name)


class Stored(IntEnum):
    """The outcome of storing the deliveries of a shop."""

    NO_SHOP_LISTENS = 0
    GATHERED = 1
    """A worker looks at it when the gathering ends."""
    DUE = 2
    """It is the first for some time: a worker may read it at once."""


def _lines() -> TableValuedAlias:
    """The lines, numbered from 1."""
    lists = {
        "id": cast(_list("shop_ids"), ARRAY(Uuid)),
        "generation": cast(_list("generations"), _NUMBERS),
        "source": _list("sources"),
    }
    return _unnested("line", lists, with_ordinality="place")


def _delivered() -> TableValuedAlias:
    """The deliveries that are written down, each with the place of its line."""
    lists = {
        "place": cast(_list("lines"), _NUMBERS),
        "event": _list("events"),
        "records": cast(_list("records"), _NUMBERS),
        "keys": _split(bindparam("named", type_=Text), _BETWEEN_LISTS),
    }
    return _unnested("one", lists)


def _announced() -> TableValuedAlias:
    """What has changed, each with the place of its line."""
    lists = {
        "place": cast(_list("marked"), _NUMBERS),
        "kind": _list("kinds"),
        "key": _list("keys"),
        "origin": _list("origins"),
        "priority": cast(_list("priorities"), _NUMBERS),
    }
    return _unnested("mark", lists)


def _statement() -> bytes:
    """Store deliveries and mark what they announce, if their shop listens; returns `Stored` by the place of each
    line whose shop does."""
    one, mark = _delivered(), _announced()
    listening = shops.listening(_lines())
    now, latest = (bindparam(name, type_=DateTime(timezone=True)) for name in ("now", "latest"))
    announced_by, until = gatherings.beside(
        listening.join(mark, mark.c.place == listening.c.place),
        shop_id=listening.c.id,
        source=listening.c.source,
        priority=mark.c.priority,
    )
    announced = (
        select(
            listening.c.id.label("shop_id"),
            listening.c.source,
            *(mark.c[name] for name in ("kind", "key", "origin", "priority")),
            now.label("marked_at"),
            case((until.between(now, latest), until), else_=now).label("due_at"),
        )
        .select_from(announced_by)
        # In order, so that two writers cannot deadlock.
        .order_by(listening.c.id, listening.c.source, mark.c.kind, mark.c.key)
        .cte("announced")
    )
    keys = func.coalesce(_split(one.c["keys"], _BETWEEN), _NO_KEYS)
    kept = listening.join(one, one.c.place == listening.c.place)
    stored = deliveries.adding(
        select(listening.c.id, listening.c.source, one.c.event, one.c.records, keys, now).select_from(kept)
    )
    marked = changes.marking(select(announced))
    theirs = (announced.c.shop_id == listening.c.id, announced.c.source == listening.c.source)
    at_once = select(announced).where(*theirs, announced.c.due_at <= now).exists()
    due, gathered = (literal_column(str(int(outcome)), Integer) for outcome in (Stored.DUE, Stored.GATHERED))
    whole = (
        select(func.json_object_agg(listening.c.place, case((at_once, due), else_=gathered)))
        .select_from(listening)
        .add_cte(stored.cte("delivered"))
        .add_cte(marked.cte("marked"))
    )
    return for_driver(whole)


STORE = _statement()

"""Pieces of SQL that several owners of tables need. They name no table."""

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from types import SimpleNamespace
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
import psycopg
from psycopg import AsyncCursor
from psycopg.pq import TransactionStatus
from psycopg.rows import namedtuple_row
from psycopg.types.json import Jsonb
from sqlalchemy import (
    JSON,
    BindParameter,
    ClauseElement,
    ColumnElement,
    DateTime,
    Executable,
    LargeBinary,
    Select,
    TableValuedAlias,
    Text,
    UnaryExpression,
    Uuid,
    any_,
    bindparam,
    case,
    cast,
    column,
    func,
    literal,
    literal_column,
    select,
    true,
)
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.operators import custom_op
from sqlalchemy.types import TypeEngine

from upbridge.store.schema import ACCENTED, PLAIN


class Overdue(NamedTuple):
    """Shops for which something is due, by id: those for which it *never* happened, and the others, whose turn
    came first first."""

    never: Select[UUID]
    late: Select[UUID]

    @classmethod
    def of(cls, query: Select[UUID], last: ColumnElement[datetime], before: datetime) -> "Overdue":
        """The rows of *query* for which *last* lies before then, or nowhere."""
        return cls(query.where(last.is_(None)), query.where(last < before).order_by(last))


_DIALECT = registry.load("postgresql.psycopg")()

#: The shops that the questions of a `Together` are about.
SHOPS: BindParameter[Any] = bindparam("shop_ids", type_=ARRAY(Uuid))


def for_driver(statement: Executable) -> bytes:
    """*statement* as the driver takes it, with the names of its parameters: executed without SQLAlchemy."""
    assert isinstance(statement, ClauseElement)
    return str(statement.compile(dialect=_DIALECT)).encode()


class Composed:
    """A statement that is composed and translated once and goes straight to the driver, in the session and the
    transaction of the connection that it is given: SQLAlchemy takes twice as long over a short one as the driver,
    and each order costs some dozens. *given*: which columns an insertion has, if not all.

    It raises what SQLAlchemy raises. Inside `in_one_trip` a statement is sent with those that follow.
    """

    def __init__(self, statement: Executable, *, given: Sequence[str] | None = None) -> None:
        assert isinstance(statement, ClauseElement)
        compiled: Any = statement.compile(dialect=_DIALECT, column_keys=given)
        self._text = str(compiled).encode()
        self._constants = {
            name: value for name, value in compiled.params.items() if not compiled.binds[name].required
        }
        self._json = {
            name: bound.type.none_as_null for name, bound in compiled.binds.items() if isinstance(bound.type, JSON)
        }

    async def run(self, tx: AsyncConnection, **values: Any) -> AsyncCursor[Any]:
        """Execute it; the cursor has the rows, each with its columns as attributes."""
        for name in self._json.keys() & values.keys():
            if values[name] is not None or not self._json[name]:
                values[name] = Jsonb(values[name])
        try:
            cursor = driver_of(tx).cursor(row_factory=namedtuple_row)
            return await cursor.execute(self._text, {**self._constants, **values}, prepare=True)
        except psycopg.Error as error:
            raise await _as_sqlalchemy(tx, error) from error

    async def all(self, tx: AsyncConnection, **values: Any) -> list[Any]:
        """All rows."""
        return await (await self.run(tx, **values)).fetchall()

    async def first(self, tx: AsyncConnection, **values: Any) -> Any | None:
        """The first row, or None."""
        return await (await self.run(tx, **values)).fetchone()


def driver_of(tx: AsyncConnection) -> psycopg.AsyncConnection[Any]:
    """The driver's connection beneath *tx*. Raises `psycopg.OperationalError` if its session has ended: SQLAlchemy
    would begin another one, which holds no lane and is in no transaction."""
    if tx.invalidated:
        raise psycopg.OperationalError("the session has ended, and with it what it held")
    driver: psycopg.AsyncConnection[Any] = tx.sync_connection.connection.driver_connection  # type: ignore[union-attr,assignment]
    return driver


@asynccontextmanager
async def in_one_trip(tx: AsyncConnection) -> AsyncIterator[None]:
    """Send the `Composed` statements of the block together, with the beginning of their transaction: nothing is
    asked of their rows. Raises for the first that fails, when the block ends."""
    try:
        async with driver_of(tx).pipeline():
            yield
    except psycopg.Error as error:
        raise await _as_sqlalchemy(tx, error) from error


@asynccontextmanager
async def in_one_commit(session: AsyncConnection) -> AsyncIterator[None]:
    """The same as a transaction of its own, sent with its beginning and its end, where each statement of *session*
    commits by itself otherwise. If the block raises, nothing of it stays."""
    try:
        driver = driver_of(session)
        try:
            async with driver.pipeline():
                await driver.cursor().execute(b"BEGIN", prepare=True)
                yield
                await driver.cursor().execute(b"COMMIT", prepare=True)
        finally:
            if driver.info.transaction_status in _OPEN:
                await driver.rollback()
    except psycopg.Error as error:
        raise await _as_sqlalchemy(session, error) from error


_OPEN = (TransactionStatus.INTRANS, TransactionStatus.INERROR)


async def _as_sqlalchemy(tx: AsyncConnection, error: psycopg.Error) -> DBAPIError:
    """*error* as SQLAlchemy passes it on; a session that has ended is not used again."""
    if not tx.invalidated and driver_of(tx).closed:
        await tx.invalidate(error)
    told = "a statement that is composed once"
    found = DBAPIError.instance(told, None, error, psycopg.Error, hide_parameters=True)
    assert isinstance(found, DBAPIError)
    return found


class Together:
    """Questions about the same shops, asked in one statement: each that is asked alone costs a page a millisecond
    of the processor. Nothing in them depends on the moment but the parameters."""

    def __init__(self, **questions: Select[Any]) -> None:
        answers = []
        for name, question in questions.items():
            rows = func.coalesce(func.json_agg(literal_column(f'"{name}"')), literal_column("'[]'::json"))
            answers.append(select(rows).select_from(question.subquery(name)).scalar_subquery().label(name))
        compiled = select(*answers).compile(dialect=_DIALECT)
        self._statement, self._constants = str(compiled), compiled.params
        self._typed = {name: _typed(question) for name, question in questions.items()}

    async def ask(
        self, tx: AsyncConnection, shop_ids: Collection[UUID], **others: Any
    ) -> dict[str, list[SimpleNamespace]]:
        """The rows of each answer, by the name of its question."""
        given = {**self._constants, "shop_ids": list(shop_ids), **others}
        answers = (await tx.exec_driver_sql(self._statement, given)).mappings().one()
        return {name: [_row(one, self._typed[name]) for one in rows] for name, rows in answers.items()}


def _typed(question: Select[Any]) -> dict[str, Callable[[str], Any]]:
    """How the columns are read that JSON has no type for."""
    readers: tuple[tuple[type, Callable[[str], Any]], ...] = ((DateTime, datetime.fromisoformat), (Uuid, UUID))
    return {
        column.name: read
        for column in question.selected_columns
        for type_, read in readers
        if isinstance(column.type, type_)
    }


def _row(said: dict[str, Any], typed: Mapping[str, Callable[[str], Any]]) -> SimpleNamespace:
    read = {name: None if said[name] is None else typed[name](said[name]) for name in typed}
    return SimpleNamespace(**{**said, **read})


def one_of(operand: ColumnElement[Any], values: Collection[Any]) -> ColumnElement[bool]:
    """`column = ANY(values)`: one parameter, and so one prepared statement, however many *values* there are."""
    return operand == any_(literal(list(values), ARRAY(operand.type)))


def among(operand: ColumnElement[Any], name: str) -> ColumnElement[bool]:
    """The same with the values of the parameter *name*, for a statement that is composed once."""
    return operand == any_(bindparam(name, type_=ARRAY(operand.type)))


def constant(word: str) -> ColumnElement[str]:
    """A constant of ours inside the statement text, so that every plan of Postgres can use partial indices."""
    assert word.isidentifier(), "it is not quoted"
    return literal_column(f"'{word}'", Text)


def arrays(name: str, **columns: tuple[str, TypeEngine[Any]]) -> TableValuedAlias:
    """Rows made of arrays of one length, one for each column: its parameter and its type."""
    parameters = (bindparam(parameter, type_=ARRAY(type_)) for parameter, type_ in columns.values())
    named = (column(title, type_) for title, (_, type_) in columns.items())
    return func.unnest(*parameters).table_valued(*named).render_derived(name=name)


def rows_of(name: str, parameter: str, **columns: TypeEngine[Any]) -> TableValuedAlias:
    """Rows made of one text, as `as_rows` writes it: for hundreds of rows the driver takes longer over arrays than
    Postgres over the text. It may be a megabyte, and goes as bytes: of a text the driver makes two copies."""
    written = cast(func.convert_from(bindparam(parameter, type_=LargeBinary), "UTF8"), JSON)
    named = (column(title, type_) for title, type_ in columns.items())
    return func.json_to_recordset(written).table_valued(*named).render_derived(name=name, with_types=True)


def as_rows(rows: Collection[msgspec.Struct]) -> bytes:
    """*rows* for `rows_of`: bytes in base64, numbers and moments as text. Raises `UnicodeEncodeError` for what no
    table takes."""
    return msgspec.json.encode(rows)


def literally(words: str) -> str:
    """*words* for LIKE: nothing in them is a pattern."""
    return words.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def folded(text: ColumnElement[str]) -> ColumnElement[str]:
    """*text* by its small letters without accents."""
    small = func.lower(text)
    # To look for accents costs ten times what all the rest does, and most texts have none.
    plain = func.octet_length(text) == func.char_length(text)
    found: ColumnElement[str] = case((plain, small), else_=func.translate(small, ACCENTED, PLAIN))
    return found


def containing(text: ColumnElement[str], words: str) -> ColumnElement[bool]:
    """Whether *text*, which is folded, has *words* in it, however they are accented."""
    # As a question of its own it is answered once, and not for each row.
    pattern = select("%" + folded(literal(literally(words), Text)) + "%").scalar_subquery()
    return text.like(pattern)


def beginning(
    column: ColumnElement[str], words: str, *where: ColumnElement[bool], most: int, indexed: bool = False
) -> Select[str]:
    """The first *most* values of *column* that begin with *words*. *indexed*: in the order of its index on
    `text_pattern_ops`, so that Postgres reads no more than these."""
    order = UnaryExpression(column, modifier=custom_op("USING ~<~")) if indexed else column
    query = select(column.label("found")).where(*where, column.like(f"{literally(words)}%"))
    return query.order_by(order).limit(most)


def beginning_in(
    place: ColumnElement[str],
    places: Collection[str],
    column: ColumnElement[str],
    words: str,
    *where: ColumnElement[bool],
    most: int,
) -> Select[str]:
    """The first *most* values of *column* that begin with *words* in each of *places*, where an index on
    `text_pattern_ops` has *place* before *column*: of each no more is read."""
    each = func.unnest(literal(list(places), ARRAY(Text))).table_valued("place").render_derived(name="each")
    of_one = beginning(column, words, *where, place == each.c.place, most=most, indexed=True).lateral("of_one")
    return select(of_one.c.found).select_from(each.join(of_one, true()))

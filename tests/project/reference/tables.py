"""docs/reference/tables.md: every table with what its comment says, its columns and its indexes."""

import ast
import re

from sqlalchemy import Column, Index, MetaData, Table
from sqlalchemy.dialects import postgresql

from tests.project.reference.code import Source, instances, sources
from tests.project.reference.markdown import code, document, paragraph, table
from tests.project.tables import OWNERS

_INTRODUCTION = """
Every table of ours, in the order of the schema, with the words that stand above it there. The job library's own
tables come from its schema. A table's owner is the only module that names it in SQL; others call its functions.
Times are `timestamptz`, secrets are sealed `bytea`. "Key" is part of the primary key.
"""

_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]


def page() -> str:
    """The page."""
    ((_, _, metadata),) = instances(MetaData)
    words = comments()
    return document("Tables", _INTRODUCTION, *(_section(one, words[one.name]) for one in metadata.tables.values()))


def comments() -> dict[str, str]:
    """What stands above each `Table(…)` in the source, by the table's name."""
    return {name: words for source in sources() for name, words in _commented(source)}


def _commented(source: Source) -> list[tuple[str, str]]:
    lines = source.text.splitlines()
    found = []
    for node in source.tree.body:
        match node:
            case ast.Assign(value=ast.Call(func=ast.Name(id="Table"), args=[ast.Constant(value=str(name)), *_])):
                above: list[str] = []
                for line in reversed(lines[: node.lineno - 1]):
                    if not line.startswith("#:"):
                        break
                    above.insert(0, line.removeprefix("#:").strip())
                found.append((name, " ".join(above)))
    return found


def _section(one: Table, words: str) -> str:
    columns = table(("Column", "Type", "Null", "Default", ""), [_row(column) for column in one.columns])
    indexes = [_index(index) for index in sorted(one.indexes, key=lambda index: str(index.name))]
    listed = "\n".join(f"- {line}" for line in indexes)
    owner = f"Owner: {code(OWNERS[one.name])}." if one.name in OWNERS else ""
    parts = (f"## {one.name}", paragraph(f"{words} {owner}".strip()), columns, listed and f"Indexes:\n\n{listed}")
    return "\n\n".join(filter(None, parts))


def _row(column: "Column[object]") -> tuple[str, str, str, str, str]:
    marks = ["key"] if column.primary_key else []
    marks += [f"→ {code(key.target_fullname)}" for key in column.foreign_keys]
    marks += ["unique"] if column.unique else []
    return (
        code(column.name),
        code(column.type.compile(_DIALECT).lower()),
        "yes" if column.nullable else "",
        code(_default(column)),
        ", ".join(marks),
    )


def _default(column: "Column[object]") -> str:
    if column.identity is not None:
        return "identity"
    if column.computed is not None:
        return f"computed: {' '.join(str(column.computed.sqltext).split())}"
    default = column.server_default
    if default is None:
        return ""
    argument = getattr(default, "arg", "")
    return re.sub(r"\s+", " ", str(getattr(argument, "text", argument)))


def _index(index: Index) -> str:
    on = ", ".join(str(expression).rpartition(".")[2] for expression in index.expressions)
    where = index.dialect_options["postgresql"].get("where")
    condition = f" where {code(' '.join(str(where).split()))}" if where is not None else ""
    return f"{code(index.name)}{' (unique)' if index.unique else ''} on {code(on)}{condition}"

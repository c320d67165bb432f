"""Which module may name which table in SQL: each table has one owner, and others call its functions. The owner
alone writes; what others ask about a large table stands in a second module beside it.

A statement names a table by its text (a string with SQL in it, a `.sql` file) or by its `Table` from
`upbridge.store.schema`. A module that needs rows of another table calls that table's owner, or composes the
selectables that the owner exports. No statement is put together from strings: what varies is a parameter, or
stands in SQLAlchemy Core.

`python -m tests.project.tables` prints what is found.
"""

import ast
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from itertools import chain
from typing import NamedTuple

from sqlalchemy import Sequence, Table

from tests.project import arrows
from upbridge.store import schema

#: Table (or sequence) -> the module that names it. A module owns several where one statement needs them together.
OWNERS: Mapping[str, str] = {
    "api_calls": "upbridge.store.rate_limits",
    "budgets": "upbridge.store.rate_limits",
    "call_leases": "upbridge.store.rate_limits",
    "change_seq": "upbridge.store.changes",
    "changes": "upbridge.store.changes",
    "compatibility": "upbridge.store.schema_version",
    "connections": "upbridge.store.connections",
    "cursors": "upbridge.store.cursors",
    "daily_stats": "upbridge.store.daily_stats",
    "deliveries": "upbridge.store.deliveries",
    "documents": "upbridge.store.documents",
    "first_looks": "upbridge.store.first_looks",
    "gatherings": "upbridge.store.gatherings",
    "failed_logins": "upbridge.store.rate_limits",
    "former_variants": "upbridge.store.former_variants",
    "heartbeat": "upbridge.store.heartbeat",
    "history": "upbridge.store.history",
    "lanes": "upbridge.store.lanes",
    "letters": "upbridge.store.letters",
    "links": "upbridge.store.links",
    "metric_samples": "upbridge.store.metric_samples",
    "notices": "upbridge.store.notices",
    "open_order_lines": "upbridge.store.open_order_lines",
    "order_events": "upbridge.store.order_events",
    "order_identities": "upbridge.store.order_identities",
    "orders": "upbridge.store.orders",
    "pairings": "upbridge.store.pairings",
    "problems": "upbridge.store.problems",
    "runs": "upbridge.store.runs",
    "secrets": "upbridge.store.secrets",
    "sessions": "upbridge.store.sessions",
    "shops": "upbridge.store.shops",
    "signatures": "upbridge.store.signatures",
    "skus": "upbridge.store.skus",
    "stock_writes": "upbridge.store.history",
    "variants": "upbridge.store.variants",
}

#: Table -> a second module beside its owner, for those who ask. It may name the table and never writes.
QUERIES: Mapping[str, str] = {
    "changes": "upbridge.store.change_queries",
    "documents": "upbridge.store.document_queries",
    "links": "upbridge.store.link_queries",
    "problems": "upbridge.store.problem_queries",
    "shops": "upbridge.store.shop_queries",
    "variants": "upbridge.store.variant_queries",
}

#: The module that declares the tables.
SCHEMA = "upbridge.store.schema"


class Finding(NamedTuple):
    """A place that names a table of another module; with *table* None, one that puts SQL together from strings."""

    module: str
    table: str | None
    line: int

    def __str__(self) -> str:
        if self.table is None:
            return f"{self.module}:{self.line} puts a statement together from strings"
        return f"{self.module}:{self.line} names {self.table}, which {OWNERS.get(self.table, 'no module')} owns"


_SQL = re.compile(r"\b(?:SELECT|FROM|JOIN|INSERT INTO|UPDATE|DELETE|WHERE|ON CONFLICT|TRUNCATE|ANALYZE)\b")
_NAMED = re.compile(
    r"\b(?:FROM|JOIN|INTO|UPDATE|USING|TABLE|TRUNCATE|ANALYZE|nextval\(')\s*(?:ONLY\s+)?(?:public\.)?\"?(\w+)"
    r"|,\s*(\w+)\s+(?:AS\s+)?[a-z]\w*\s*(?=,|WHERE\b|\n|$)"
    r"|(?<![\w.:])(\w+)\.\w"
)
_EXEMPTION = re.compile(r"noqa:[^#]*\bS608\b")


def findings(files: Iterable[tuple[str, str]] | None = None) -> list[Finding]:
    """Every place that breaks one of the two rules. *files*: name and source of modules."""
    found = {
        finding
        for module, source in (chain(_everything(), _files()) if files is None else files)
        if module != SCHEMA
        for finding in chain(_named(module, source), _composed(module, source))
    }
    return sorted(found, key=lambda one: (one.module, one.line, one.table or ""))


def complaints(files: Iterable[tuple[str, str]] | None = None) -> list[str]:
    """One line for each finding."""
    return [str(one) for one in findings(files)]


@cache
def _tree(source: str) -> ast.Module:
    return ast.parse(source)


def _everything() -> Iterator[tuple[str, str]]:
    return chain(arrows.modules(), arrows.sandbox_modules())


def _files() -> Iterator[tuple[str, str]]:
    """Each .sql file as a module that holds nothing but its text."""
    for path in sorted(arrows.SRC.rglob("*.sql")):
        name = ".".join(path.relative_to(arrows.SRC).with_suffix("").parts)
        yield name, repr(path.read_text())


def _named(module: str, source: str) -> Iterator[Finding]:
    """The tables that *module* names without owning them."""
    for table, line in chain(_by_text(source), _by_schema(source)):
        if module not in (OWNERS[table], QUERIES.get(table)):
            yield Finding(module, table, line)


def writers() -> list[str]:
    """One line for each place in a module of `QUERIES` that could write."""
    return [
        f"{module} writes: {ast.unparse(node)}"
        for module, source in _everything()
        if module in QUERIES.values()
        for node in ast.walk(_tree(source))
        if _writes(node)
    ]


def _writes(node: ast.AST) -> bool:
    match node:
        case ast.Call(func=ast.Name(id="insert" | "update" | "delete")):
            return True
        case ast.Constant(value=str(words)):
            return bool(re.search(r"\b(?:INSERT INTO|UPDATE|DELETE FROM|TRUNCATE)\b", words))
        case _:
            return False


def _by_text(source: str) -> Iterator[tuple[str, int]]:
    for line, words in _strings(source):
        if _SQL.search(words):
            for match in _NAMED.finditer(words):
                name = next(filter(None, match.groups()), "")
                if name in OWNERS:
                    yield name, line


def _strings(source: str) -> Iterator[tuple[int, str]]:
    """Every string of *source* that is no docstring; a hole in an f-string is `{}`."""
    tree = _tree(source)
    skipped = {id(node) for node in _docstrings(tree)}
    for node in ast.walk(tree):
        match node:
            case ast.JoinedStr(values=values):
                skipped |= {id(value) for value in values}
                yield node.lineno, _text(node)
            case ast.Constant(value=str(words)) if id(node) not in skipped:
                yield node.lineno, words


def _docstrings(tree: ast.Module) -> Iterator[ast.expr]:
    """The expressions that stand alone as statements: docstrings, and the words under a member."""
    return (node.value for node in ast.walk(tree) if isinstance(node, ast.Expr))


def _text(node: ast.JoinedStr) -> str:
    return "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)


def _by_schema(source: str) -> Iterator[tuple[str, int]]:
    """Tables of the schema that are imported, or reached through the schema's module or its metadata."""
    tree = _tree(source)
    aliases = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and f"{node.module}" == SCHEMA.rpartition(".")[0]
        for alias in node.names
        if alias.name == "schema"
    }
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(module=name, names=names) if name == SCHEMA:
                for alias in names:
                    yield from _declared(alias.name, node.lineno)
            case ast.Attribute(value=ast.Name(id=name), attr=attribute) if name in aliases:
                yield from _declared(attribute, node.lineno)
            case ast.Subscript(value=ast.Attribute(attr="tables"), slice=ast.Constant(value=str(name))):
                yield name, node.lineno


def _declared(name: str, line: int) -> Iterator[tuple[str, int]]:
    declared = getattr(schema, name, None)
    if isinstance(declared, Table | Sequence):
        yield declared.name, line


def _composed(module: str, source: str) -> Iterator[Finding]:
    """Places where SQL has a hole for more SQL, and exemptions from the linter's rule about it."""
    for number, line in enumerate(source.splitlines(), start=1):
        if _EXEMPTION.search(line):
            yield Finding(module, None, number)
    for node in ast.walk(_tree(source)):
        match node:
            case ast.JoinedStr() if _STATEMENT.search(_text(node)):
                yield Finding(module, None, node.lineno)
            case ast.BinOp(op=ast.Add() | ast.Mod(), left=left, right=right) if _is_sql(left) or _is_sql(right):
                yield Finding(module, None, node.lineno)
            case ast.Call(func=ast.Attribute(attr="format" | "replace", value=value)) if _is_sql(value):
                yield Finding(module, None, node.lineno)


#: A string that is a statement, or the better part of one.
_STATEMENT = re.compile(
    r"\bSELECT\s.*?\bFROM\b|\bINSERT\s+INTO\b|\bUPDATE\s+\S+\s.*?\bSET\b|\bDELETE\s+FROM\b|\bON\s+CONFLICT\b"
    r"|\bORDER\s+BY\b|\bLEFT\s+JOIN\b|\bWITH\s+\w+\s+AS\s*\(|\bANALYZE\s",
    re.DOTALL,
)


def _is_sql(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and bool(_STATEMENT.search(node.value))


if __name__ == "__main__":
    sys.stdout.write("".join(f"{one}\n" for one in findings()))

"""Each table has one module that names it in SQL, and no SQL is put together from strings."""

import pytest

from tests.project import tables
from upbridge.store.schema import change_seq, metadata


def test_each_table_is_named_by_its_owner_alone() -> None:
    assert tables.complaints() == []


def test_only_the_owner_of_a_table_writes_it() -> None:
    assert tables.writers() == []


def test_each_table_has_an_owner() -> None:
    assert tables.OWNERS.keys() == metadata.tables.keys() | {change_seq.name}


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("text('SELECT key FROM links WHERE true')", id="a query"),
        pytest.param("text('''WITH a AS (SELECT 1)\n DELETE FROM links USING a''')", id="over several lines"),
        pytest.param("text('UPDATE links SET state = 1')", id="an update"),
        pytest.param("text('INSERT INTO links (key) VALUES (1)')", id="an insert"),
        pytest.param("text('SELECT FROM shops s JOIN links l ON true')", id="a join"),
        pytest.param("text('SELECT 1 FROM shops s, links l WHERE true')", id="a list of tables"),
        pytest.param("psycopg.sql.SQL('TRUNCATE links')", id="any string, not only that of `text`"),
        pytest.param("X = 'WHERE links.state = 1'", id="a condition"),
        pytest.param("from upbridge.store.schema import links", id="its Table"),
        pytest.param("from upbridge.store.schema import links as there", id="its Table by another name"),
        pytest.param("from upbridge.store import schema\nX = schema.links.c.key", id="through the schema"),
        pytest.param("from upbridge.store import schema as s\nX = s.links.c.key", id="through an alias"),
        pytest.param("X = metadata.tables['links']", id="through the metadata"),
    ],
)
def test_a_statement_about_the_table_of_another_is_found(source: str) -> None:
    found = tables.complaints([("upbridge.engine.attic", source)])

    assert [line.split(" names ")[1] for line in found if "links" in line] == [
        "links, which upbridge.store.links owns"
    ]


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("text(f'SELECT key FROM {table}')", id="an f-string"),
        pytest.param("text('SELECT key FROM secret_things ' + more)", id="a sum"),
        pytest.param("text('SELECT key FROM %s' % table)", id="a percent sign"),
        pytest.param("text('SELECT key FROM {}'.format(table))", id="a format"),
        pytest.param("text(words)  # noqa: S608 - a constant", id="an exemption"),
    ],
)
def test_a_statement_put_together_from_strings_is_found(source: str) -> None:
    found = tables.complaints([("upbridge.engine.attic", source)])

    assert found == ["upbridge.engine.attic:1 puts a statement together from strings"]


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("text('SELECT key FROM links')", id="its own table"),
        pytest.param("'''What a SELECT FROM documents says.'''", id="a docstring"),
        pytest.param("log.info('select documents from links')", id="plain words"),
        pytest.param("text('SELECT documents FROM links')", id="a column of that name"),
        pytest.param("f'{count} documents: FROM here'", id="an f-string that is no statement"),
    ],
)
def test_the_owner_and_plain_words_pass(source: str) -> None:
    assert tables.complaints([("upbridge.store.links", source)]) == []

"""A list that is printed while it is read."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from upbridge.cli.common import stream_json


async def _rows(number: int, *, breaks: bool = False) -> AsyncIterator[dict[str, object]]:
    for one in range(number):
        yield {"number": one, "at": datetime(2026, 1, 1, tzinfo=UTC), "name": "Žluťoučký"}
    if breaks:
        raise RuntimeError


@pytest.mark.parametrize("number", [0, 1, 3])
async def test_it_is_one_document_with_a_line_for_each_row(
    number: int, capsys: pytest.CaptureFixture[str]
) -> None:
    await stream_json(_rows(number))

    said = capsys.readouterr().out
    assert [row["number"] for row in json.loads(said)] == list(range(number))
    assert said.count("Žluťoučký") == sum("Žluťoučký" in line for line in said.splitlines()) == number


async def test_a_list_that_is_broken_off_is_no_document(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RuntimeError):
        await stream_json(_rows(2, breaks=True))

    with pytest.raises(json.JSONDecodeError):
        json.loads(capsys.readouterr().out)

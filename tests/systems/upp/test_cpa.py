"""Cost per acquisition from a file."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upbridge.core.errors import BadRequest
from upbridge.systems.offers import days_of
from upbridge.systems.upp.cpa import read

DAYS = [(date(2026, 11, 1), Decimal("30.03")), (date(2026, 11, 2), Decimal(34))]


def parse(content: bytes) -> list[tuple[date, Decimal]]:
    """Day and cost of each row of a file."""
    return days_of(read(content))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("date,cpa\n2026-11-01,30.03\n2026-11-02,34\n", id="as documented"),
        pytest.param(
            "date,cpa\r\n2026-11-01,30.03\r\n\r\n2026-11-02,34", id="Windows, an empty line, no last end"
        ),
        pytest.param("\ufeffdate;cpa\n1.11.2026;30,03\n2. 11. 2026;34,00\n", id="a Czech spreadsheet"),
        pytest.param('Date,CPA\n2026-11-01,"30,03"\n2026-11-02,34', id="a quoted decimal comma, capitals"),
        pytest.param("date\tcpa\n2026-11-02\t34\n2026-11-01\t30.03\n", id="tabs, newest first"),
        pytest.param("cpa;campaign;date\n30.03;a;2026-11-01\n34;;2026-11-02\n", id="other columns"),
    ],
)
def test_these_say_the_same(text: str) -> None:
    assert parse(text.encode()) == DAYS


def test_thousands_may_be_spaced() -> None:
    assert parse("date;cpa\n2026-11-01;1\N{NO-BREAK SPACE}030,50\n".encode()) == [
        (date(2026, 11, 1), Decimal("1030.50"))
    ]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        pytest.param(b"", "line 1: the header", id="an empty file"),
        pytest.param(b"2026-11-01,30.03\n", "line 1: the header", id="no header"),
        pytest.param(b"date,cpa\n", "line 2: there is no row", id="no row"),
        pytest.param(b"date,cpa\n2026-11-01,1\nsoon,2\n", "line 3: 'soon' is no date", id="no date"),
        pytest.param(b"date,cpa\n2026-02-30,2\n", "line 2: '2026-02-30' is no date", id="a day that never was"),
        pytest.param(b"date,cpa\n2026-11-01,-2\n", "line 2: '-2' is no amount", id="less than nothing"),
        pytest.param(b"date,cpa\n2026-11-01,nan\n", "line 2: 'nan' is no amount", id="not a number"),
        pytest.param("date,cpa\n2026-11-01,٣\n".encode(), "line 2: '٣' is no amount", id="other digits"),
        pytest.param(b"date,cpa\n2026-11-01," + b"9" * 13, "line 2: '9999", id="a number without end"),
        pytest.param(b"date,cpa\n2026-11-01,30,03\n", "decimal comma needs quotes", id="a bare decimal comma"),
        pytest.param(b"date,cpa\n2026-11-01\n", "line 2: 1 columns instead of 2", id="a cell is missing"),
        pytest.param(b"date,cpa\n2026-11-01,1\n2026-11-01,2\n", "line 3: 2026-11-01 stands in line 2", id="twice"),
        pytest.param(b'date,cpa\n2026-11-01,"1\n', "line 2: ", id="a quote that never ends"),
        pytest.param(b"date,cpa\n\xe1,1\n", "not UTF-8", id="another encoding"),
    ],
)
def test_what_is_wrong_is_named_by_its_line(content: bytes, complaint: str) -> None:
    with pytest.raises(BadRequest) as caught:
        parse(content)

    assert complaint in str(caught.value)


def test_every_wrong_line_is_named_at_once() -> None:
    with pytest.raises(BadRequest) as caught:
        parse(b"date,cpa\nx,1\n2026-11-01,1\n2026-11-02,y\n")

    assert [line.partition(":")[0] for line in str(caught.value).splitlines()] == ["line 2", "line 4"]


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: f"date,cpa\n{text}".encode()))
def test_any_file_is_read_or_refused(content: bytes) -> None:
    try:
        days = parse(content)
    except BadRequest:
        return
    assert days == sorted(days)
    assert all(cost >= 0 for _, cost in days)

"""Cost per acquisition from a file: the one thing about which the shop knows nothing.

    date,cpa              date;cpa
    2026-11-01,30.03      1.11.2026;30,03

A header with `date` and `cpa` is required; other columns are ignored. Comma, semicolon and tab separate; a decimal
comma is taken where it cannot be mistaken for a separator (or stands in quotes).
"""

import csv
import re
from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal
from io import StringIO
from typing import Protocol

from upbridge.systems.connecting import Connected
from upbridge.systems.offers import CostRow, Wrong
from upbridge.systems.upp.connect import client_of

_CZECH = re.compile(r"(\d{1,2})\.\s*(\d{1,2})\.\s*(\d{4})")
_NUMBER = re.compile(r"\d{1,12}([.,]\d{1,20})?")
_SPACES = str.maketrans("", "", " \N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}")
#: Characters of a row, or of a cell, that are shown to a person.
_SHOWN = 100


class _Reader(Protocol):
    """What `csv.reader` gives."""

    line_num: int

    def __iter__(self) -> Iterator[list[str]]: ...


class _Wrong(ValueError):
    """A cell is no value of its column."""

    def __init__(self, wrong: Wrong) -> None:
        super().__init__(wrong.words)
        self.wrong = wrong


def read(content: bytes) -> list[CostRow]:
    """The rows of a file, in its order; those that are wrong say why, with the number of their line (the header's
    is 1)."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return [CostRow(line=None, wrong=Wrong("no_text", "the file is not UTF-8 text"))]
    head = text.partition("\n")[0]
    reader = csv.reader(StringIO(text, newline=""), delimiter=max(",;\t", key=head.count), strict=True)
    rows: list[CostRow] = []
    try:
        columns = [name.strip().lower() for name in next(reader, [])]
        if not {"date", "cpa"} <= set(columns):
            wrong = Wrong("no_header", "the header must name the columns date and cpa")
            return [CostRow(line=1, typed=head.strip()[:_SHOWN], wrong=wrong)]
        rows.extend(_rows(reader, columns))
    except csv.Error as error:
        rows.append(CostRow(line=reader.line_num, wrong=Wrong("no_csv", str(error))))
    return rows or [CostRow(line=2, wrong=Wrong("no_row", "there is no row"))]


def _rows(reader: _Reader, columns: Sequence[str]) -> Iterator[CostRow]:
    seen: dict[date, int] = {}
    for cells in reader:
        if not any(cell.strip() for cell in cells):
            continue
        line, typed = reader.line_num, " | ".join(cell.strip() for cell in cells)[:_SHOWN]
        try:
            day, cost = _row(cells, columns)
        except _Wrong as error:
            yield CostRow(line=line, typed=typed, wrong=error.wrong)
            continue
        if (first := seen.setdefault(day, line)) == line:
            yield CostRow(line=line, typed=typed, day=day, cost=cost)
        else:
            words = f"{day.isoformat()} stands in line {first} already"
            yield CostRow(line=line, typed=typed, wrong=Wrong("twice", words, {"day": day, "first": first}))


def _row(row: list[str], columns: Sequence[str]) -> tuple[date, Decimal]:
    if len(row) != len(columns):
        more = len(row) > len(columns)
        advice = "; a decimal comma needs quotes or semicolons between columns" if more else ""
        words = f"{len(row)} columns instead of {len(columns)}{advice}"
        found = {"found": len(row), "wanted": len(columns)}
        raise _Wrong(Wrong("more_columns" if more else "fewer_columns", words, found))
    cells = dict(zip(columns, row, strict=True))
    return _day(cells["date"].strip()), _cost(cells["cpa"])


def _day(text: str) -> date:
    czech = _CZECH.fullmatch(text)
    try:
        return date(int(czech[3]), int(czech[2]), int(czech[1])) if czech else date.fromisoformat(text)
    except ValueError:
        words = f"{text[:_SHOWN]!r} is no date such as 2026-11-01"
        raise _Wrong(Wrong("no_date", words, {"typed": text[:_SHOWN]})) from None


def _cost(text: str) -> Decimal:
    plain = text.translate(_SPACES)
    if not plain.isascii() or not _NUMBER.fullmatch(plain):
        words = f"{text[:_SHOWN]!r} is no amount such as 30.03"
        raise _Wrong(Wrong("no_amount", words, {"typed": text[:_SHOWN]}))
    return Decimal(plain.replace(",", "."))


class UppCosts:
    """`offers.CostUpload`."""

    def read(self, content: bytes) -> Sequence[CostRow]:
        """The rows of a file."""
        return read(content)

    async def send(self, connected: Connected, discriminator: str, days: Sequence[tuple[date, Decimal]]) -> None:
        """Send them."""
        await client_of(connected.tools).send_cpa(connected.vault, discriminator, days)

"""Cost per acquisition from a file: the one thing about which the shop knows nothing.

    date,cpa              date;cpa
    2026-11-01,30.03      1.11.2026;30,03

A header with `date` and `cpa` is required; other columns are ignored. Comma, semicolon and tab separate; a decimal
comma is taken where it cannot be mistaken for a separator (or stands in quotes).
"""

import csv
import re
from collections.abc import Sequence
from datetime import date
from decimal import Decimal, InvalidOperation
from io import StringIO

from upbridge.core.errors import BadRequest
from upbridge.systems.connecting import Connected
from upbridge.systems.upp.connect import client_of

_CZECH = re.compile(r"(\d{1,2})\.\s*(\d{1,2})\.\s*(\d{4})")
_NUMBER = re.compile(r"\d+([.,]\d+)?")
_SPACES = str.maketrans("", "", " \N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}")


class _Wrong(ValueError):
    """A cell is no value of its column; the message says what would be."""


def parse(content: bytes) -> list[tuple[date, Decimal]]:
    """Day and cost of each row, oldest first.

    Raises `BadRequest` with one line for each line of the file that is wrong, with its number (the header is 1).
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BadRequest("the file is not UTF-8 text") from None
    head = text.partition("\n")[0]
    reader = csv.reader(StringIO(text, newline=""), delimiter=max(",;\t", key=head.count), strict=True)
    days: dict[date, tuple[int, Decimal]] = {}
    complaints: list[str] = []
    try:
        columns = [name.strip().lower() for name in next(reader, [])]
        if not {"date", "cpa"} <= set(columns):
            raise BadRequest("line 1: the header must name the columns date and cpa")
        for row in reader:
            line = reader.line_num
            if not any(cell.strip() for cell in row):
                continue
            try:
                day, cost = _row(row, columns)
            except _Wrong as wrong:
                complaints.append(f"line {line}: {wrong}")
                continue
            if day in days:
                complaints.append(f"line {line}: {day.isoformat()} stands in line {days[day][0]} already")
            days[day] = (line, cost)
    except csv.Error as error:
        complaints.append(f"line {reader.line_num}: {error}")
    if not days and not complaints:
        complaints.append("line 2: there is no row")
    if complaints:
        raise BadRequest("\n".join(complaints))
    return [(day, cost) for day, (_, cost) in sorted(days.items())]


def _row(row: list[str], columns: list[str]) -> tuple[date, Decimal]:
    if len(row) != len(columns):
        hint = "; a decimal comma needs quotes or semicolons between columns" if len(row) > len(columns) else ""
        raise _Wrong(f"{len(row)} columns instead of {len(columns)}{hint}")
    cells = dict(zip(columns, row, strict=True))
    return _day(cells["date"].strip()), _cost(cells["cpa"])


def _day(text: str) -> date:
    czech = _CZECH.fullmatch(text)
    try:
        return date(int(czech[3]), int(czech[2]), int(czech[1])) if czech else date.fromisoformat(text)
    except ValueError:
        raise _Wrong(f"{text!r} is no date such as 2026-11-01") from None


def _cost(text: str) -> Decimal:
    plain = text.translate(_SPACES)
    if not plain.isascii() or not _NUMBER.fullmatch(plain):
        raise _Wrong(f"{text!r} is no amount such as 30.03")
    try:
        return Decimal(plain.replace(",", "."))
    except InvalidOperation:
        raise _Wrong(f"{text!r} is no amount such as 30.03") from None


class UppCosts:
    """`offers.CostUpload`."""

    def parse(self, content: bytes) -> Sequence[tuple[date, Decimal]]:
        """Day and cost of each row, oldest first."""
        return parse(content)

    async def send(self, connected: Connected, discriminator: str, days: Sequence[tuple[date, Decimal]]) -> None:
        """Send them."""
        await client_of(connected.tools).send_cpa(connected.vault, discriminator, days)

"""Files that spreadsheets open: no cell is a formula, in none of them and however it splits the line."""

import csv
from decimal import Decimal

import pytest

from upbridge.web.csv_files import rows

ATTACKS = [
    "=1+1",
    "+1",
    "-1+cmd|' /C calc'!A0",
    "@SUM(1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "  =1",
    "\N{FULLWIDTH EQUALS SIGN}1",
    "\N{FULLWIDTH PLUS SIGN}1",
    "\N{FULLWIDTH HYPHEN-MINUS}1",
    "\N{FULLWIDTH COMMERCIAL AT}x",
]


@pytest.mark.parametrize("text", ATTACKS)
def test_what_would_be_computed_is_text(text: str) -> None:
    (cells,) = csv.reader(rows([[text]]).decode().splitlines(keepends=True), delimiter=";")

    assert cells == [f"'{text}"]


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("8592000074706", "8592000074706\t"),
        ("00123", "00123\t"),
        ("26000434", "26000434"),
        ("0", "0"),
        (Decimal(123_456_789_012), "123456789012"),
        ("859200007470A", "859200007470A"),
    ],
)
def test_a_code_of_digits_is_not_taken_for_a_number(value: object, written: str) -> None:
    assert next(csv.reader([rows([[value]]).decode()], delimiter=";")) == [written]


def test_a_spreadsheet_that_splits_at_commas_finds_no_formula() -> None:
    written = rows([["a,=1+cmd|' /C calc'!A0,x", None, 5, Decimal("1.50")]]).decode()

    assert written == '"a,=1+cmd|\' /C calc\'!A0,x";"";"5";"1.50"\r\n'
    assert next(csv.reader([written]))[0].startswith("a,=1")

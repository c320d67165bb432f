"""CSV as Czech and Slovak spreadsheets open it: semicolons, UTF-8 with its mark, and no cell that is a formula.

Every cell stands in quotation marks, so that a spreadsheet that splits at commas takes none of them apart.
"""

import csv
import io
from collections.abc import Iterable

MARK = b"\xef\xbb\xbf"
MEDIA_TYPE = "text/csv; charset=utf-8"
#: A cell that begins like this, after blanks, is a formula to a spreadsheet; some read full-width signs, too.
_FORMULA = (
    *("=", "+", "-", "@"),
    *("\N{FULLWIDTH EQUALS SIGN}", "\N{FULLWIDTH PLUS SIGN}"),
    *("\N{FULLWIDTH HYPHEN-MINUS}", "\N{FULLWIDTH COMMERCIAL AT}"),
)
_CONTROL = ("\t", "\r", "\n")
#: More digits are shown by a spreadsheet as 8,59E+12, and a zero in front is dropped: a code is no number.
_MOST_DIGITS = 11


def rows(lines: Iterable[Iterable[object]]) -> bytes:
    """These *lines* of cells; None is an empty cell."""
    buffer = io.StringIO()
    csv.writer(buffer, delimiter=";", quoting=csv.QUOTE_ALL).writerows(
        [cell(value) for value in line] for line in lines
    )
    return buffer.getvalue().encode()


def cell(value: object) -> str:
    """*value* as text that no spreadsheet computes, nor takes for a number where it is a code: a tab behind it
    keeps it as it is."""
    text = "" if value is None else str(value)
    if isinstance(value, str) and _is_code(text):
        return f"{text}\t"
    computed = text.startswith(_CONTROL) or text.lstrip().startswith(_FORMULA)
    return f"'{text}" if computed else text


def _is_code(text: str) -> bool:
    digits = text.isascii() and text.isdigit()
    return digits and (len(text) > _MOST_DIGITS or (text.startswith("0") and len(text) > 1))


def attachment(name: str) -> dict[str, str]:
    """The headers of a file that is called *name*."""
    return {"Content-Disposition": f'attachment; filename="{name}.csv"'}

"""CSV as Czech and Slovak spreadsheets open it: semicolons, UTF-8 with its mark, and no cell that is a formula."""

import csv
import io
from collections.abc import Iterable

MARK = b"\xef\xbb\xbf"
MEDIA_TYPE = "text/csv; charset=utf-8"
#: A cell that begins like this is a formula to a spreadsheet.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def rows(lines: Iterable[Iterable[object]]) -> bytes:
    """These *lines* of cells; None is an empty cell."""
    buffer = io.StringIO()
    csv.writer(buffer, delimiter=";").writerows([cell(value) for value in line] for line in lines)
    return buffer.getvalue().encode()


def cell(value: object) -> str:
    """*value* as text that no spreadsheet computes."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def attachment(name: str) -> dict[str, str]:
    """The headers of a file that is called *name*."""
    return {"Content-Disposition": f'attachment; filename="{name}.csv"'}

"""What docs/cli.md shows of a command."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PAGE = (Path(__file__).parents[2] / "docs" / "cli.md").read_text()
_SECTION = re.compile(r"^### `upbridge ([^`]+)`\n(.*?)(?=^### |\Z)", re.MULTILINE | re.DOTALL)
_EXAMPLE = re.compile(r"```json\n(.*?)```", re.DOTALL)
SECTIONS = {match[1]: match[2] for match in _SECTION.finditer(PAGE)}


def example(command: str) -> Any:
    """The document that the page shows for a command."""
    found = _EXAMPLE.search(SECTIONS[command])
    assert found is not None
    return json.loads(found[1])


def shape(value: Any) -> Any:
    """Fields and kinds of a document; a null says nothing."""
    match value:
        case dict():
            return {key: shape(item) for key, item in value.items()}
        case list():
            return [shape(value[0])] if value else []
        case None:
            return None
        case bool():
            return bool
        case int() | float():
            return float
        case _:
            return type(value)


def differences(shown: Any, printed: Any, where: str = "") -> Iterator[str]:
    """What the page shows differently than the command prints it."""
    match shown, printed:
        case (None, _) | (_, None) | ([], list()) | (list(), []):
            return
        case dict(), dict():
            for key in sorted(shown.keys() ^ printed.keys()):
                yield f"{where}.{key} is only {'shown' if key in shown else 'printed'}"
            for key in shown.keys() & printed.keys():
                yield from differences(shown[key], printed[key], f"{where}.{key}")
        case [one], [other]:
            yield from differences(one, other, f"{where}[]")
        case _ if shown != printed:
            yield f"{where} is shown as {shown} and printed as {printed}"


def compare(command: str, printed: Any) -> None:
    assert [*differences(shape(example(command)), shape(printed))] == []

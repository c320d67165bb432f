"""The vendor's own description of its API, and answers that a real shop gave.

They are not ours to publish, so they are no part of the repository. Where a folder beside the checkout holds them
(`<folder>/reference/…`), or `TEST_VENDOR_FILES` names one, tests compare with them; elsewhere they are skipped.
"""

import os
from pathlib import Path
from typing import Any

import pytest

from upbridge.systems.http.exact_json import decode

VARIABLE = "TEST_VENDOR_FILES"
#: Below such a folder.
OPENAPI = "upgates-api-v2.openapi.json"
CAPTURED = "captured"

_TOP = Path(__file__).parents[2]


def reported_fault(number: str) -> dict[str, Any]:
    """The made-up input of a fault that was reported elsewhere, and what is right; skips the test likewise."""
    given = os.environ.get(VARIABLE)
    beside = [Path(given).parent] if given else sorted(_TOP.parent.iterdir())
    path = next(
        (path for folder in beside for path in sorted(folder.glob(f"findings/cases/{number}-*.json"))), None
    )
    if path is None:
        pytest.skip(f"reported fault {number} is not at hand ({VARIABLE})")
    case: dict[str, Any] = decode(path.read_bytes())
    return case


def vendor_file(name: str) -> Path:
    """The file or folder *name* of the vendor; skips the test, or the module, where it is not at hand."""
    given = os.environ.get(VARIABLE)
    beside = [Path(given)] if given else sorted(_TOP.parent.glob("*/reference"))
    path = next((folder / name for folder in beside if (folder / name).exists()), None)
    if path is None:
        pytest.skip(f"the vendor's {name} is not at hand ({VARIABLE})", allow_module_level=True)
    return path

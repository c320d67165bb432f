"""What each process may take of the database, and what docs/sizing.md says of it."""

import re

from tests.project.documents import TOP
from upbridge.bootstrap import connections_of_worker
from upbridge.web_container import connections_of_web

SIZING = (TOP / "docs/sizing.md").read_text()


def test_the_connections_of_each_process_are_those_that_are_written_down() -> None:
    said = dict(re.findall(r"^\| `([a-z]+)[^|]*\| (\d+) \|$", SIZING, re.MULTILINE))

    assert said == {"serve": str(connections_of_web()), "worker": str(connections_of_worker(4))}
    assert f"needs {connections_of_worker(4)} more" in SIZING
    assert f"CONNECTION LIMIT {2 * connections_of_worker(4)}`" in SIZING

"""The demo's commands are copies of a process that has loaded the program: they say what the program says."""

from pathlib import Path

import pytest

from upbridge import __version__
from upbridge_sandbox.demo.commands import Commands


@pytest.mark.parametrize(
    ("arguments", "environment", "done"),
    [
        (["--version"], {}, (0, f"{__version__}\n", "")),
        (["shops", "list"], {"UPBRIDGE_COALESCE_SECONDS": "soon"}, (2, "", "error: UPBRIDGE_COALESCE_SECONDS")),
    ],
)
def test_a_command_ends_and_speaks_as_if_it_had_been_typed(
    tmp_path: Path, arguments: list[str], environment: dict[str, str], done: tuple[int, str, str]
) -> None:
    code, stdout, stderr = done

    said = Commands().run(arguments, environment=environment, directory=tmp_path, stdin=None, seconds=60)

    assert (said.code, said.stdout, said.stderr[: len(stderr)]) == (code, stdout, stderr)
    assert [*tmp_path.iterdir()] == []

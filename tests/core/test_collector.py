"""The collector looks at nothing that lives as long as the process: it would hold the event loop."""

import os
import subprocess
import sys

from cryptography.fernet import Fernet

_SCRIPT = "import gc; from upbridge.app import factory; factory(); print(gc.get_freeze_count())"


def test_a_web_process_collects_nothing_that_was_there_at_its_start() -> None:
    environment = {
        **os.environ,
        "UPBRIDGE_PUBLIC_URL": "https://upbridge.example",
        "UPBRIDGE_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
        "UPBRIDGE_DATABASE_URL": "postgresql://nowhere.example/upbridge",
    }

    said = subprocess.run(
        [sys.executable, "-c", _SCRIPT], env=environment, check=True, capture_output=True, text=True, timeout=60
    )

    assert int(said.stdout.split()[-1]) > 50_000

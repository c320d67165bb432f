"""The collector looks at nothing that lives as long as the process: it would hold the event loop."""

import gc
import os
import subprocess
import sys

from cryptography.fernet import Fernet

from upbridge.core.collector import look_seldom

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


def test_a_worker_looks_for_garbage_once_for_many_values() -> None:
    before = gc.get_threshold()
    try:
        look_seldom()

        assert gc.get_threshold() == (20_000, *before[1:])
    finally:
        gc.set_threshold(*before)


def test_what_a_collection_leaves_alive_is_spared_from_then_on() -> None:
    script = """
import gc
from upbridge.core.collector import spare_what_stays
spare_what_stays()
kept = [[[]] for _ in range(50_000)]
gc.collect()
spared = gc.get_freeze_count()
for _ in range(30):
    kept.append([[]])
    gc.collect()
print(spared > 50_000, len(gc.get_objects()) < 1_000, gc.get_freeze_count() - spared < 3_000)
"""
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)

    assert said.stdout.split() == ["True", "True", "True"]


def test_while_a_process_gets_warm_no_collection_looks_at_much() -> None:
    script = """
import gc
from upbridge.core.collector import spare_what_is_here, spare_what_stays
first = [[[]] for _ in range(100_000)]
spare_what_is_here()
spare_what_stays()
looked_at = []
gc.callbacks.insert(0, lambda phase, _: phase == "start" and looked_at.append(len(gc.get_objects())))
later = [[[]] for _ in range(150_000)]
print(max(looked_at) < 50_000)
"""
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)

    assert said.stdout.split() == ["True"]

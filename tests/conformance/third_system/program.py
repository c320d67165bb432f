"""The program with one line more in the registry: `python -m tests.conformance.third_system.program shops list`.

LEDGER_URL is where Ledger listens.
"""

import importlib
import os
from dataclasses import replace

from tests.conformance.third_system.ledger.connect import LedgerConnect
from tests.conformance.third_system.ledger.system import LEDGER
from upbridge.systems import registry
from upbridge.systems.base import Systems

if __name__ == "__main__":
    ledger = replace(LEDGER, connect=LedgerConnect(os.environ["LEDGER_URL"]))
    registry.SYSTEMS = Systems(platform=registry.SYSTEMS.platform, connected=(*registry.SYSTEMS.connected, ledger))
    importlib.import_module("upbridge.cli").main()

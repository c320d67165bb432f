"""The program with one line more in the registry: `python -m tests.conformance.third_system.program shops list`.

ABACUS_URL is where Abacus listens.
"""

import importlib
import os
from dataclasses import replace

from tests.conformance.third_system.abacus.connect import AbacusConnect
from tests.conformance.third_system.abacus.system import ABACUS
from upbridge.systems import registry
from upbridge.systems.base import Systems

if __name__ == "__main__":
    abacus = replace(ABACUS, connect=AbacusConnect(os.environ["ABACUS_URL"]))
    registry.SYSTEMS = Systems(platform=registry.SYSTEMS.platform, connected=(*registry.SYSTEMS.connected, abacus))
    importlib.import_module("upbridge.cli").main()

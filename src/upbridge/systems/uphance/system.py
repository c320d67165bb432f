"""Uphance, as the rest of the house sees it."""

from upbridge.systems.base import System
from upbridge.systems.uphance.settings import SETTINGS

UPHANCE = System(name="uphance", title="Uphance", settings=SETTINGS)

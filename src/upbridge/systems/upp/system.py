"""Upp.ai, as the rest of the house sees it."""

from upbridge.systems.base import System
from upbridge.systems.upp.settings import SETTINGS

UPP = System(name="upp", title="Upp.ai", settings=SETTINGS)

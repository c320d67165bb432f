"""The systems that this service knows. To add one: a folder beside this file, and its line here."""

from upbridge.systems.base import Systems
from upbridge.systems.upgates.system import UPGATES
from upbridge.systems.uphance.system import UPHANCE
from upbridge.systems.upp.system import UPP

SYSTEMS = Systems(platform=UPGATES, connected=(UPP, UPHANCE))

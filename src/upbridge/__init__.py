"""Upbridge: a verified add-on for Upgates e-shops, feeding Upp.ai and Uphance."""

__version__ = "0.1.0"

HOMEPAGE = "https://github.com/upbridge/upbridge"
"""Where a stranger learns what this is: it goes along with every call to another system."""

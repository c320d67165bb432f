"""Upbridge: a verified add-on for Upgates e-shops, feeding Upp.ai and Uphance."""

__version__ = "0.1.0"

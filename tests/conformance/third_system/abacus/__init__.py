"""Abacus: a book of a shop's orders and products. Nothing comes back from it."""

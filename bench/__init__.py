"""Measurements of the Upgates side, in one run: `make bench`. What each number means: docs/benchmarks.md."""

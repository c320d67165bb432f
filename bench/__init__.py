"""Measurements in one run: `make bench`. What each number means: docs/benchmarks.md."""

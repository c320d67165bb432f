"""Bounded attacks from loopback on a real instance, with a genuine shop beside it; behind `make attack`."""

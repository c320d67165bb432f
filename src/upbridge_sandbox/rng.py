"""Chance that repeats: one seed, and a separate stream for every purpose."""

import random


class RandomStreams:
    """Named streams of chance; a new consumer of one never shifts another."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._streams: dict[str, random.Random] = {}

    def of(self, purpose: str) -> random.Random:
        """The stream of *purpose*."""
        if purpose not in self._streams:
            self._streams[purpose] = random.Random(f"{self.seed}/{purpose}")  # noqa: S311
        return self._streams[purpose]

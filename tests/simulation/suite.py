"""How many seeds the suite lives through, in two files of half each so that two processes share them."""

SEEDS = 200
HALF = SEEDS // 2

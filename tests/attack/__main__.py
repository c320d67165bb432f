"""`python -m tests.attack`: attacks on a real instance with a genuine shop beside it; behind `make attack`."""

import argparse
import asyncio
import json
import sys

from rich.console import Console

from tests.attack.table import ATTACKS, LONG, SHORT, all_of
from tests.attack.verdicts import show

MET, MISSED, NOT_JUDGED = 0, 1, 2


def main() -> int:
    """0 if every goal was met, 1 if one was missed, 2 if goals of time could not be judged."""
    parser = argparse.ArgumentParser(prog="make attack", description=__doc__)
    parser.add_argument("--only", action="append", help="rows whose name contains this; may be repeated")
    parser.add_argument("--short", action="store_true", help="seconds instead of minutes")
    parser.add_argument("--seed", type=int, default=1, help="what is random, is the same with the same seed")
    parser.add_argument(
        "--watch", action="store_true", help="also hold that nothing keeps the loop for more than 50 ms (slower)"
    )
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    asked = parser.parse_args()
    console = Console(stderr=asked.json)
    names = [name for name in ATTACKS if asked.only is None or any(part in name for part in asked.only)]
    seconds = SHORT if asked.short else LONG
    verdicts = asyncio.run(all_of(names, seconds=seconds, seed=asked.seed, console=console, watched=asked.watch))
    missed = sum(bool(one.missed) for one in verdicts)
    unjudged = sum(bool(one.unjudged) and not one.missed for one in verdicts)
    if asked.json:
        document = [
            {"name": one.name, **one.cells, "missed": list(one.missed), "unjudged": list(one.unjudged)}
            for one in verdicts
        ]
        sys.stdout.write(json.dumps(document, ensure_ascii=False, indent=1) + "\n")
    else:
        show(console if console.is_terminal else Console(width=220), verdicts)
        fine = len(verdicts) - missed - unjudged
        console.print(f"{fine} of {len(verdicts)} attacks cost nobody else anything", highlight=False)
        if unjudged:
            console.print(
                f"{unjudged} were not judged, as other programs took the processors: run them on a free machine",
                highlight=False,
            )
    return MISSED if missed else NOT_JUDGED if unjudged else MET


if __name__ == "__main__":
    sys.exit(main())

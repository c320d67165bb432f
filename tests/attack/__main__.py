"""`python -m tests.attack`: attacks on a real instance with a genuine shop beside it; behind `make attack`."""

import argparse
import asyncio
import json
import sys

from rich.console import Console

from tests.attack.table import ATTACKS, LONG, SHORT, all_of
from tests.attack.verdicts import show


def main() -> int:
    """0 if every goal was met."""
    parser = argparse.ArgumentParser(prog="make attack", description=__doc__)
    parser.add_argument("--only", action="append", help="rows whose name contains this; may be repeated")
    parser.add_argument("--short", action="store_true", help="seconds instead of minutes")
    parser.add_argument("--seed", type=int, default=1, help="what is random, is the same with the same seed")
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    asked = parser.parse_args()
    console = Console(stderr=asked.json)
    names = [name for name in ATTACKS if asked.only is None or any(part in name for part in asked.only)]
    verdicts = asyncio.run(all_of(names, seconds=SHORT if asked.short else LONG, seed=asked.seed, console=console))
    missed = sum(bool(one.missed) for one in verdicts)
    if asked.json:
        document = [{"name": one.name, **one.cells, "missed": list(one.missed)} for one in verdicts]
        sys.stdout.write(json.dumps(document, ensure_ascii=False, indent=1) + "\n")
    else:
        show(console if console.is_terminal else Console(width=190), verdicts)
        console.print(
            f"{len(verdicts) - missed} of {len(verdicts)} attacks cost nobody else anything", highlight=False
        )
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())

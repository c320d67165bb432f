"""`python -m tests.attack`: attacks on a real instance with a genuine shop beside it; behind `make attack`."""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from tests.attack.scale import LONG, SHORT, Scale
from tests.attack.table import ATTACKS, all_of
from tests.attack.telling import Telling, until_told
from tests.attack.verdicts import show

MET, MISSED, NOT_JUDGED, BROKEN_OFF = 0, 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """0 if every goal was met, 1 if one was missed, 2 if goals of time could not be judged, 130 if it was broken
    off."""
    parser = argparse.ArgumentParser(prog="make attack", description=__doc__)
    parser.add_argument("--only", action="append", help="rows whose name contains this; may be repeated")
    parser.add_argument(
        "--short",
        action="store_true",
        help=f"{SHORT.minutes:g} minutes instead of {LONG.minutes:g}, fewer requests",
    )
    parser.add_argument("--seed", type=int, default=1, help="what is random, is the same with the same seed")
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    parser.add_argument("--keep", type=Path, help="keep the same document in this file, from the first row on")
    asked = parser.parse_args(arguments)
    names = [name for name in ATTACKS if asked.only is None or any(part in name for part in asked.only)]
    if not names:
        parser.error(f"no row has such a name; there are: {', '.join(ATTACKS)}")
    scale = SHORT if asked.short else LONG
    told = Console(stderr=True)
    told.print(_promise(names, scale), highlight=False, soft_wrap=True)
    telling = Telling(told, names, scale=scale, seed=asked.seed, file=asked.keep)
    with telling:
        whole = asyncio.run(until_told(all_of(names, scale=scale, seed=asked.seed, told=telling)))
    missed = sum(bool(one.missed) for one in telling.verdicts)
    unjudged = sum(bool(one.unjudged) and not one.missed for one in telling.verdicts)
    if asked.json:
        sys.stdout.write(telling.document() + "\n")
    else:
        out = Console()
        show(out if out.is_terminal else Console(width=220), telling.verdicts)
    told.print(_summary(telling, missed, unjudged), highlight=False, soft_wrap=True)
    if not whole:
        told.print(f"broken off: {len(names) - len(telling.verdicts)} attacks were not made", highlight=False)
        return BROKEN_OFF
    return MISSED if missed else NOT_JUDGED if unjudged else MET


def _promise(names: Sequence[str], scale: Scale) -> str:
    whole = f"about {scale.minutes:g} minutes on a free machine with two processors"
    return f"{len(names)} attacks; all {len(ATTACKS)} take {whole}"


def _summary(telling: Telling, missed: int, unjudged: int) -> str:
    count = len(telling.verdicts)
    said = [f"{count - missed - unjudged} of {count} attacks cost nobody else anything"]
    if telling.fuzzed:
        said.append(f"{telling.fuzzed:,} odd requests were sent")
    if unjudged:
        said.append(
            f"{unjudged} were not judged, as other programs took the processors: run them on a free machine"
        )
    return "\n".join(said)


if __name__ == "__main__":
    sys.exit(main())

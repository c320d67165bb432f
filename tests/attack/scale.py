"""How much of everything a run of the attacks has."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scale:
    """*seconds*: how long a row of the table lasts; *fuzzed*: requests of all kinds of fuzzers together;
    *shops*: how many shops the fuzzers use, each with so many *sessions*; *minutes*: how long the whole run takes
    on a free machine with two processors."""

    seconds: float
    fuzzed: int
    shops: int
    sessions: int
    minutes: float


#: A shop may open 300 pages, and 20 a second for long: the fuzzers of many shops get further than those of one.
LONG = Scale(seconds=5.0, fuzzed=100_000, shops=12, sessions=8, minutes=7.0)
SHORT = Scale(seconds=2.0, fuzzed=6_000, shops=3, sessions=8, minutes=2.5)

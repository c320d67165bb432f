"""A shop's days from a seed, with every fault at once, compared with their origin when the dust has settled.

    plan.py      which steps a seed makes
    people.py    what shoppers, the shop's staff and staff in Uphance do
    disturbances.py  what goes wrong, and for how long
    run.py       a plan carried out; what was different in the end
    seeds.py     many seeds, and what a failure looks like

No time passes and no byte leaves the process; Postgres is real. `make soak SEEDS=1000` runs more than the suite.
"""

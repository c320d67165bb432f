"""`python -m upbridge_sandbox`: the simulated systems alone, with every switch that they start with."""

import argparse

from upbridge_sandbox.seed.plan import Plan
from upbridge_sandbox.server import Options, run_sandbox


def main() -> None:
    """Read the command line and run until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m upbridge_sandbox", description=__doc__)
    parser.add_argument("--port", type=int, default=8900, help="first of six ports; 0 takes free ones")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--addon-url", default="http://127.0.0.1:8000", help="where the add-on listens")
    parser.add_argument("--signature-token", default="sandbox-signature-token")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--clock-factor", type=float, default=1.0, help="100: five minutes are three seconds")
    parser.add_argument("--products", type=int, default=1200)
    parser.add_argument("--orders", type=int, default=400)
    parser.add_argument("--shop", default="demo", help="name of the shop that is there from the start")
    wanted = vars(parser.parse_args())
    sizes = {name: wanted.pop(name) for name in ("products", "orders")}
    run_sandbox(Options(plan=Plan(name=wanted.pop("shop"), seed=wanted["seed"], **sizes), **wanted))


if __name__ == "__main__":
    main()

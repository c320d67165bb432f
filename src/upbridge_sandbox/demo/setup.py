"""What the demo and `play` have in common: sizes, start, and the console."""

from types import FrameType

from rich.console import Console

from upbridge_sandbox.demo.processes import Processes

PRODUCTS, ORDERS = 1200, 400
CLOCK_FACTOR = 100.0
WIDTH = 118


def make_console(*, stderr: bool = False) -> Console:
    """A terminal's own width; elsewhere wide enough for the tables."""
    console = Console(stderr=stderr)
    return console if console.is_terminal else Console(stderr=stderr, width=WIDTH)


def interrupt(_number: int, _frame: FrameType | None) -> None:
    """SIGTERM ends us as Ctrl-C does: the children first."""
    raise KeyboardInterrupt


def start_all(running: Processes, *, port: int) -> None:
    """All processes at once; whichever of them comes first brings the database's schema to head."""
    running.start_sandbox(port=port, products=PRODUCTS, orders=ORDERS, clock_factor=CLOCK_FACTOR)
    running.start("serve", "serve", "--host", "127.0.0.1", "--port", str(running.web_port))
    running.start("worker", "worker", "--port", str(running.web_port))
    running.wait_for_sandbox()
    running.wait_ready()

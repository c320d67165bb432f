"""How far an order goes: the files and functions of ours between its announcement and its link in Uphance.

Printed with `-s`, for the table in docs/decisions/0013. The ceilings are what it takes today: who raises one has
made the way longer, and says why.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from tests.conformance.systems.uphance import SIDE
from tests.conformance.testbed import Testbed
from upbridge import __path__ as upbridge_path

#: Rooms that every call passes.
EVERYWHERE = ("core/", "rate_limits/")
FILES, FUNCTIONS = 94, 402

HOME = Path(upbridge_path[0])


@contextmanager
def passed() -> Iterator[set[tuple[str, str]]]:
    """The files and functions of ours that are called meanwhile."""
    found: set[tuple[str, str]] = set()

    def note(frame: FrameType, event: str, _: object) -> None:
        path = Path(frame.f_code.co_filename)
        if event == "call" and path.is_relative_to(HOME):
            file = path.relative_to(HOME)
            if not frame.f_code.co_name.startswith("<"):
                found.add((file.as_posix(), frame.f_code.co_qualname))

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        yield found
    finally:
        sys.setprofile(before)


async def test_the_way_of_an_order_is_no_longer_than_it_was(testbed: Testbed) -> None:
    await SIDE.connect(testbed)
    await testbed.settle()
    number = str(testbed.edits.create_order(testbed.origin)["order_number"])

    with passed() as found:
        await testbed.deliver()
        for _ in range(3):
            await testbed.work()
            testbed.hours.move(minutes=1)

    every = {file for file, _ in found}
    own = {one for one in found if not one[0].startswith(EVERYWHERE)}
    files = sorted({file for file, _ in own})
    sys.stdout.write(f"{len(files)} files, {len(own)} functions, {len(every)} files with those of {EVERYWHERE}\n")
    sys.stdout.write("".join(f"  {one}\n" for one in files))
    assert any(one["purchase_order_ref"].endswith(number) for one in testbed.organisation.orders.values())
    assert len(files) <= FILES
    assert len(own) <= FUNCTIONS

"""After every fault a target holds what it should, once: the same suite for each of them.

Every copy is compared with its origin by the demo's rules, which share no code with the engine. A new system is a
new module in `tests.conformance.systems`; a new fault of the sandbox is tried by itself.
"""

import copy
import importlib
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import fields
from itertools import count
from typing import Any

import pytest

from tests.conformance import systems as sides
from tests.conformance.systems import Side
from tests.conformance.testbed import SYSTEMS, Testbed, rng
from tests.conformance.virtual import Killed
from upbridge.domain.lane import Lane
from upbridge_sandbox.demo import compare
from upbridge_sandbox.faults import Faults

SIDES: dict[str, Side] = {
    module.name: importlib.import_module(f"{sides.__name__}.{module.name}").SIDE
    for module in pkgutil.iter_modules(sides.__path__)
}
every_side = pytest.mark.parametrize("side", SIDES.values(), ids=SIDES)

#: What says how a fault shows and not that it strikes, and what is a situation of its own (`refuse`, `broken`).
MODIFIERS = {"error_status", "retry_after", "garble_seed", "match", "refuse", "broken"}
SWITCHES = [one.name for one in fields(Faults) if one.name not in MODIFIERS]

TENTH = 12
GIVEN_UP = {"push.gave_up", "order.refused", "read.refused", "order.changed_after_sending"}


def test_every_system_has_its_side() -> None:
    assert set(SIDES) == {SYSTEMS.platform.name, *SYSTEMS.titles}


def storms() -> dict[str, dict[str, Any]]:
    """Each switch of the sandbox, on: it strikes a few times, strikes by chance, or slows down."""
    found: dict[str, dict[str, Any]] = {}
    for name in SWITCHES:
        if name.endswith("_next"):
            found[name] = {name: 4}
        elif name.endswith("_share"):
            found[name] = {name: 0.25}
        else:
            found |= {f"{name}_{seconds:g}": {name: seconds} for seconds in (5.0, 50.0, 100.0)}
    return found | {"error_status": {"error_next": 4, "error_status": 502}}


def struck_by_storms() -> Iterator[Any]:
    """Each system in each storm; and what there is to send, while the shop that it is read from is struck."""
    for name, side in SIDES.items():
        for switch, storm in storms().items():
            yield pytest.param(side, name, storm, id=f"{name}-{switch}")
            if name != "upgates" and not switch.endswith("_share"):
                yield pytest.param(side, "upgates", storm, id=f"{name}-{switch}-of-the-shop")


async def quiet(testbed: Testbed, shuffle: Callable[[list[Lane]], None] = lambda _: None) -> None:
    """A while later, when nothing is left to do: Uphance has been read, and what waited has been retried."""
    testbed.hours.move(minutes=20)
    await testbed.settle(shuffle)


async def ready(testbed: Testbed, side: Side) -> None:
    """Connected, and all that was there before has arrived."""
    await side.connect(testbed)
    await testbed.settle()
    await right(testbed, side)


async def right(testbed: Testbed, side: Side) -> None:
    """Nothing is lost, doubled, different, unwanted or kept silent about; and there was something to hold."""
    verdicts = await side.verdicts(testbed)
    assert [one for verdict in verdicts for one in verdict.findings] == []
    assert sum(verdict.copies for verdict in verdicts) > 0


@every_side
async def test_a_day_arrives_and_after_it_nothing_is_written(testbed: Testbed, side: Side) -> None:
    await ready(testbed, side)

    side.happen(testbed, 1)
    await testbed.deliver()
    await quiet(testbed)
    before = testbed.written(side.system)
    testbed.hours.move(hours=25)
    await testbed.settle()

    await right(testbed, side)
    assert testbed.written(side.system) == before


@every_side
async def test_what_is_announced_again_is_not_written_again(testbed: Testbed, side: Side) -> None:
    await ready(testbed, side)
    side.happen(testbed, 2)
    said = list(testbed.letters.waiting)
    await testbed.deliver(lambda letters: letters * 2)
    await quiet(testbed)
    before = testbed.written(side.system)

    for _ in range(2):
        testbed.letters.waiting = list(said)
        await testbed.deliver()
        await testbed.settle()

    await right(testbed, side)
    assert testbed.written(side.system) == before


@every_side
async def test_the_order_of_announcements_does_not_matter(testbed: Testbed, side: Side) -> None:
    await ready(testbed, side)

    for seed in (3, 4):
        side.happen(testbed, seed)
        await testbed.deliver(reversed)
        await testbed.work(rng(seed).shuffle)
    await quiet(testbed, rng(5).shuffle)

    await right(testbed, side)


@every_side
async def test_what_was_never_announced_is_found(testbed: Testbed, side: Side) -> None:
    await ready(testbed, side)

    testbed.letters.lost = True
    side.happen(testbed, 15)
    testbed.hours.move(hours=25)
    await testbed.settle()

    await right(testbed, side)


@pytest.mark.parametrize(("side", "struck", "storm"), list(struck_by_storms()))
async def test_a_storm_passes_and_all_is_there(
    testbed: Testbed, side: Side, struck: str, storm: dict[str, Any]
) -> None:
    faults = testbed.world.faults[struck]
    await ready(testbed, side)
    before = await testbed.retry_everything()
    await testbed.settle()

    faults.set(storm)
    side.happen(testbed, 6)
    await testbed.deliver()
    for _ in range(12):
        await testbed.work()
        testbed.hours.move(minutes=2)
    faults.clear()
    await quiet(testbed)
    if any(name.endswith("_share") for name in storm):  # what it strikes too often is given to a person
        assert set(await testbed.retry_everything()) - set(before) <= GIVEN_UP
        await testbed.settle()

    await right(testbed, side)


@every_side
@pytest.mark.parametrize("tenths", [2, 4, 6, 8])
async def test_a_process_that_dies_leaves_the_work_to_the_next_one(
    testbed: Testbed, side: Side, tenths: int
) -> None:
    await ready(testbed, side)
    testbed.start()
    side.happen(testbed, 7)
    await testbed.deliver()
    testbed.reaper.kill_after(TENTH * tenths)

    with pytest.raises(Killed):
        await quiet(testbed)
    testbed.start()
    await quiet(testbed)

    await right(testbed, side)


@every_side
async def test_one_thing_that_is_refused_stops_no_other_and_goes_when_it_is_let(
    testbed: Testbed, side: Side
) -> None:
    await ready(testbed, side)

    name = side.refuse(testbed)
    side.happen(testbed, 8)
    await testbed.deliver()
    await quiet(testbed)
    told = await testbed.told()
    refused = [one for verdict in await side.verdicts(testbed) for one in verdict.findings]
    side.accept(testbed)
    await testbed.retry_everything()
    await testbed.settle()

    assert told.about({name}, side.system)
    # the customer of a refused order is there before it
    assert {one.entity for one in refused if one.kind != compare.UNWANTED} <= {name}
    await right(testbed, side)


@every_side
async def test_a_call_that_is_turned_away_is_made_again_with_no_person_asked(testbed: Testbed, side: Side) -> None:
    await ready(testbed, side)

    side.happen(testbed, 9)
    side.expire(testbed)
    await testbed.deliver()
    await testbed.work()
    side.let_in(testbed)
    await quiet(testbed)

    await right(testbed, side)


@every_side
async def test_without_credentials_everything_waits_and_with_new_ones_it_goes(
    testbed: Testbed, side: Side
) -> None:
    await ready(testbed, side)

    side.lock_out(testbed)
    before = testbed.written(side.system)
    side.happen(testbed, 10)
    await testbed.deliver()
    await testbed.work()
    testbed.hours.move(minutes=90)
    await testbed.work()
    assert testbed.written(side.system) == before
    side.let_in(testbed)
    if side.system != "upgates":
        await side.connect(testbed)
    await quiet(testbed)

    await right(testbed, side)


async def test_no_request_to_upp_holds_anything_personal(testbed: Testbed) -> None:
    """Planted into every free text that an order has, and looked for in the bytes of every request."""
    await ready(testbed, SIDES["upp"])
    order = testbed.edits.create_order(testbed.origin)
    for name, value in order["customer"].items():
        if value is None or isinstance(value, str):
            order["customer"][name] = f"planted {name}"
    order["customer"] |= {"email": "planted@example.cz", "country_id_invoice": "cz", "postal_yn": True}
    for name in ("internal_note", "external_order_number", "tracking_code", "variable_symbol"):
        order[name] = f"planted {name}"
    for part in ("shipment", "payment"):
        order[part] |= {"name": f"planted {part}"}

    await testbed.settle()

    sent = [body for host, body in testbed.network.bodies if host == "upp.test"]
    assert order["order_number"] in testbed.tenant.orders
    assert len(sent) > 1
    assert not [body for body in sent if b"planted" in body]
    assert order["order_number"].encode() in b"".join(sent)


async def test_an_order_that_waited_for_its_goods_goes_however_short_lives_are(testbed: Testbed) -> None:
    """Each process lives one instant longer than the one before, so that it dies at every instant of this work."""
    await ready(testbed, SIDES["uphance"])
    number = next(key for key, fault in testbed.origin.broken.items() if fault == "unknown_sku")
    made: Any = copy.deepcopy(next(iter(testbed.organisation.products.values())))
    made["id"] = testbed.world.uphance.next_id()
    made["variations"] = made["variations"][:1]
    made["variations"][0]["id"] = testbed.world.uphance.next_id()
    made["variations"][0]["skus"] = made["variations"][0]["skus"][:1]
    made["variations"][0]["skus"][0] |= {
        "id": testbed.world.uphance.next_id(),
        "sku_number": testbed.origin.order_factory.strangers[0].code,
        "ean": None,
    }
    testbed.organisation.products[made["id"]] = made
    testbed.hours.move(minutes=20)

    for instants in count(1):
        testbed.start()
        testbed.reaper.kill_after(instants)
        try:
            await testbed.settle()
        except Killed:
            continue
        break

    references = [one["purchase_order_ref"] for one in testbed.organisation.orders.values()]
    assert references.count(f"UPG-demo-{number}") == 1

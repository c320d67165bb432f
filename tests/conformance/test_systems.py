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
from tests.conformance.stage import SYSTEMS, Stage, dice
from tests.conformance.systems import Side
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
MODIFIERS = {"error_status", "retry_after", "match", "refuse", "broken"}
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


async def quiet(stage: Stage, shuffle: Callable[[list[Lane]], None] = lambda _: None) -> None:
    """A while later, when nothing is left to do: Uphance has been read, and what waited has been retried."""
    stage.hours.move(minutes=20)
    await stage.settle(shuffle)


async def ready(stage: Stage, side: Side) -> None:
    """Connected, and all that was there before has arrived."""
    await side.connect(stage)
    await stage.settle()
    await right(stage, side)


async def right(stage: Stage, side: Side) -> None:
    """Nothing is lost, doubled, different, unwanted or kept silent about; and there was something to hold."""
    verdicts = await side.verdicts(stage)
    assert [one for verdict in verdicts for one in verdict.findings] == []
    assert sum(verdict.copies for verdict in verdicts) > 0


@every_side
async def test_a_day_arrives_and_after_it_nothing_is_written(stage: Stage, side: Side) -> None:
    await ready(stage, side)

    side.happen(stage, 1)
    await stage.deliver()
    await quiet(stage)
    before = stage.written(side.system)
    stage.hours.move(hours=25)
    await stage.settle()

    await right(stage, side)
    assert stage.written(side.system) == before


@every_side
async def test_what_is_announced_again_is_not_written_again(stage: Stage, side: Side) -> None:
    await ready(stage, side)
    side.happen(stage, 2)
    said = list(stage.letters.waiting)
    await stage.deliver(lambda letters: letters * 2)
    await quiet(stage)
    before = stage.written(side.system)

    for _ in range(2):
        stage.letters.waiting = list(said)
        await stage.deliver()
        await stage.settle()

    await right(stage, side)
    assert stage.written(side.system) == before


@every_side
async def test_the_order_of_announcements_does_not_matter(stage: Stage, side: Side) -> None:
    await ready(stage, side)

    for seed in (3, 4):
        side.happen(stage, seed)
        await stage.deliver(reversed)
        await stage.work(dice(seed).shuffle)
    await quiet(stage, dice(5).shuffle)

    await right(stage, side)


@every_side
async def test_what_was_never_announced_is_found(stage: Stage, side: Side) -> None:
    await ready(stage, side)

    stage.letters.lost = True
    side.happen(stage, 15)
    stage.hours.move(hours=25)
    await stage.settle()

    await right(stage, side)


@pytest.mark.parametrize(("side", "struck", "storm"), list(struck_by_storms()))
async def test_a_storm_passes_and_all_is_there(
    stage: Stage, side: Side, struck: str, storm: dict[str, Any]
) -> None:
    faults = stage.world.faults[struck]
    await ready(stage, side)
    before = await stage.retry_everything()
    await stage.settle()

    faults.set(storm)
    side.happen(stage, 6)
    await stage.deliver()
    for _ in range(12):
        await stage.work()
        stage.hours.move(minutes=2)
    faults.clear()
    await quiet(stage)
    if any(name.endswith("_share") for name in storm):  # what it strikes too often is given to a person
        assert set(await stage.retry_everything()) - set(before) <= GIVEN_UP
        await stage.settle()

    await right(stage, side)


@every_side
@pytest.mark.parametrize("tenths", [2, 4, 6, 8])
async def test_a_process_that_dies_leaves_the_work_to_the_next_one(stage: Stage, side: Side, tenths: int) -> None:
    await ready(stage, side)
    stage.start()
    side.happen(stage, 7)
    await stage.deliver()
    stage.reaper.kill_after(TENTH * tenths)

    with pytest.raises(Killed):
        await quiet(stage)
    stage.start()
    await quiet(stage)

    await right(stage, side)


@every_side
async def test_one_thing_that_is_refused_stops_no_other_and_goes_when_it_is_let(stage: Stage, side: Side) -> None:
    await ready(stage, side)

    name = side.refuse(stage)
    side.happen(stage, 8)
    await stage.deliver()
    await quiet(stage)
    told = await stage.told()
    refused = [one for verdict in await side.verdicts(stage) for one in verdict.findings]
    side.accept(stage)
    await stage.retry_everything()
    await stage.settle()

    assert told.about({name}, side.system)
    # the customer of a refused order is there before it
    assert {one.entity for one in refused if one.kind != compare.UNWANTED} <= {name}
    await right(stage, side)


@every_side
async def test_a_call_that_is_turned_away_is_made_again_with_no_person_asked(stage: Stage, side: Side) -> None:
    await ready(stage, side)

    side.happen(stage, 9)
    side.expire(stage)
    await stage.deliver()
    await stage.work()
    side.let_in(stage)
    await quiet(stage)

    await right(stage, side)


@every_side
async def test_without_credentials_everything_waits_and_with_new_ones_it_goes(stage: Stage, side: Side) -> None:
    await ready(stage, side)

    side.lock_out(stage)
    before = stage.written(side.system)
    side.happen(stage, 10)
    await stage.deliver()
    await stage.work()
    stage.hours.move(minutes=90)
    await stage.work()
    assert stage.written(side.system) == before
    side.let_in(stage)
    if side.system != "upgates":
        await side.connect(stage)
    await quiet(stage)

    await right(stage, side)


async def test_no_request_to_upp_holds_anything_personal(stage: Stage) -> None:
    """Planted into every free text that an order has, and looked for in the bytes of every request."""
    await ready(stage, SIDES["upp"])
    order = stage.edits.create_order(stage.origin)
    for name, value in order["customer"].items():
        if value is None or isinstance(value, str):
            order["customer"][name] = f"planted {name}"
    order["customer"] |= {"email": "planted@example.cz", "country_id_invoice": "cz", "postal_yn": True}
    for name in ("internal_note", "external_order_number", "tracking_code", "variable_symbol"):
        order[name] = f"planted {name}"
    for part in ("shipment", "payment"):
        order[part] |= {"name": f"planted {part}"}

    await stage.settle()

    sent = [body for host, body in stage.network.bodies if host == "upp.test"]
    assert order["order_number"] in stage.tenant.orders
    assert len(sent) > 1
    assert not [body for body in sent if b"planted" in body]
    assert order["order_number"].encode() in b"".join(sent)


async def test_an_order_that_waited_for_its_goods_goes_however_short_lives_are(stage: Stage) -> None:
    """Each process lives one instant longer than the one before, so that it dies at every instant of this work."""
    await ready(stage, SIDES["uphance"])
    number = next(key for key, fault in stage.origin.broken.items() if fault == "unknown_sku")
    made: Any = copy.deepcopy(next(iter(stage.organisation.products.values())))
    made["id"] = stage.world.uphance.next_id()
    made["variations"] = made["variations"][:1]
    made["variations"][0]["id"] = stage.world.uphance.next_id()
    made["variations"][0]["skus"] = made["variations"][0]["skus"][:1]
    made["variations"][0]["skus"][0] |= {
        "id": stage.world.uphance.next_id(),
        "sku_number": stage.origin.order_factory.strangers[0].code,
        "ean": None,
    }
    stage.organisation.products[made["id"]] = made
    stage.hours.move(minutes=20)

    for instants in count(1):
        stage.start()
        stage.reaper.kill_after(instants)
        try:
            await stage.settle()
        except Killed:
            continue
        break

    references = [one["purchase_order_ref"] for one in stage.organisation.orders.values()]
    assert references.count(f"UPG-demo-{number}") == 1

"""A function of the engine takes the whole container only where it needs more than the database and the time."""

from tests.project import container


def test_a_function_that_needs_little_takes_just_that() -> None:
    assert container.complaints() == []


def test_one_that_takes_everything_for_the_time_is_found() -> None:
    source = "async def tell(service: Service) -> None:\n    await say(service.clock())"

    assert container.complaints([("upbridge.engine.attic", source)]) == [
        "upbridge.engine.attic.tell takes the container for clock"
    ]

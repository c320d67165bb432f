"""Functions take what they use, and no container."""

import re

from tests.project import arrows, container


def test_every_function_takes_what_it_uses_and_no_container() -> None:
    assert container.complaints() == []


def test_a_function_that_takes_a_container_is_found_but_for_what_a_command_does() -> None:
    source = """
def command() -> None:
    async def work(container: WorkerContainer) -> None:
        await tell(container)

    with_container(work)

async def tell(container: WorkerContainer | None) -> None:
    print(container)
"""

    assert container.complaints([("upbridge.cli.attic", source)]) == [
        "upbridge.cli.attic.tell takes a whole container"
    ]
    assert len(container.complaints([("upbridge.engine.attic", source)])) == 2
    assert container.complaints([("upbridge.bootstrap", source)]) == []


def test_the_application_s_state_holds_the_container_and_nothing_else() -> None:
    others = [
        f"{module}: {found[0]}"
        for module, source in arrows.modules()
        for found in re.finditer(r"\bapp\.state\b(?!\.container\b)[^\n]*", source)
    ]

    assert others == []

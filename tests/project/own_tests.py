"""What the tests themselves keep to.

Helpers and fixtures come from `tests/support` or a conftest, nothing of ours is patched, no test reaches for a
private name, and nothing sleeps until something has probably happened.
"""

import ast
from collections.abc import Iterator, Mapping

from tests.project.documents import TOP

#: What of ours is replaced all the same: the place, and why that is what is tested.
PATCHED: Mapping[str, str] = {
    "tests/conformance/third_system/program.py:": "a process of its own, with one line more in the registry",
}

#: Private names that a test uses all the same: the place, and why nothing better is at hand.
PRIVATE: Mapping[str, str] = {
    "tests/attack/watched/sitecustomize.py:": "asyncio has no other place at which to time what its loop runs",
    "tests/attack/watched/sitecustomize.py:_look": "the standard library's own way to see another thread's stack",
    "tests/support/calm_loop.py:held_loop": "asyncio has no other place at which to time what its loop runs",
}

#: Where a test looks again and again, or takes its time: the place, and why there is no event to wait for.
SLEEPS: Mapping[str, str] = {
    "tests/attack/fuzzing.py:_again": "a busy machine is given a moment",
    "tests/attack/fuzzing.py:damaged_answers": "for how long answers are damaged",
    "tests/attack/partners.py:_order": "the other side is a process",
    "tests/attack/partners.py:while_uphance_trickles": "the other side is a process",
    "tests/attack/testbed.py:attack": "for how long an attack lasts",
    "tests/attack/testbed.py:until": "the other side is a database",
    "tests/attack/weapons.py:fire": "how often a weapon fires",
    "tests/browser/furnished.py:furnished": "a server gives no event when it has started",
    "tests/browser/testbed.py:wait_until": "the other side is a process",
    "tests/conformance/test_versions.py:sell": "a shop sells all the time",
    "tests/conformance/test_versions.py:until": "the other side is another process",
    "tests/core/telemetry/test_database_outage.py:until": "the other side is a process",
    "tests/rate_limits/calling_processes.py:_main": "how the ledger waits, ten times as fast",
    "tests/sandbox/addon.py:serve": "how slow the add-on is, as the simulated Upgates measures it",
    "tests/store/test_embedded.py:test_a_killed_server_comes_back_by_itself_with_every_committed_row": "a process",
    "tests/support/pgbouncer.py:_listens": "the other side is a process",
    "tests/support/postgres.py:wait_for_lock": "Postgres gives no event for it",
    "tests/test_job_queue.py:jobs": "the other side is a database",
    "tests/test_jobs.py:test_two_workers_share_the_work_and_double_nothing": "work for two to share",
    "tests/test_jobs.py:until": "the other side is a database",
    "tests/web/test_http_protocol.py:test_a_body_that_no_handler_reads_ends_as_well": "how slowly a client sends",
    "tests/web/test_http_protocol.py:test_a_head_that_trickles_is_given_up": "how slowly a client sends",
    "tests/web/test_products.py:test_who_reads_slowly_holds_nothing_and_who_breaks_off_leaves_nothing": (
        "a pool gives no event when a connection comes back"
    ),
    "tests/webhooks/test_endpoints.py:late": "the end of another session",
}


def complaints() -> Iterator[str]:
    """One line for each import, patch and sleep that is not allowed, and for each exception that is not needed."""
    trees = {
        path.relative_to(TOP).as_posix(): ast.parse(path.read_text()) for path in sorted(TOP.glob("tests/**/*.py"))
    }
    fixtures = {module_of(place): set(fixtures_in(tree)) for place, tree in trees.items()}
    for place, tree in trees.items():
        yield from imports(place, tree, fixtures)
    for name, allowed, found in (
        ("patches our own", PATCHED, patches),
        ("reaches for a private name", PRIVATE, reaches),
        ("sleeps", SLEEPS, sleeps),
    ):
        seen = {where for place, tree in trees.items() for where in found(place, tree)}
        yield from (f"{where} {name}" for where in sorted(seen - allowed.keys()))
        yield from (f"{where} {name} no more: take it from the list" for where in sorted(allowed.keys() - seen))


def module_of(place: str) -> str:
    """The name by which the file at *place* is imported."""
    return place.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def imports(place: str, tree: ast.AST, fixtures: Mapping[str, set[str]]) -> Iterator[str]:
    """Imports from test modules and conftests, and of fixtures from anywhere."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module is not None and node.module.startswith("tests."):
            last = node.module.rpartition(".")[2]
            if last == "conftest" or last.startswith("test_"):
                yield f"{place} imports {node.module}: move what both need to tests/support"
            for name in node.names:
                if name.name in fixtures.get(node.module, set()):
                    yield f"{place} passes on the fixture {name.name} of {node.module}"


def fixtures_in(tree: ast.AST) -> Iterator[str]:
    """The names of the fixtures that a module defines."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for decorator in node.decorator_list:
                called = decorator.func if isinstance(decorator, ast.Call) else decorator
                if ast.unparse(called) == "pytest.fixture":
                    yield node.name


def patches(place: str, tree: ast.AST) -> Iterator[str]:
    """`place:function` where something that belongs to our packages or tests is replaced: by a monkeypatch, by
    `unittest.mock`, or by an assignment to what was imported."""
    ours = set(imported_from_us(tree))
    for function, part in parts(tree):
        match part:
            case ast.ImportFrom(module="unittest.mock") | ast.Import(names=[ast.alias(name="unittest.mock")]):
                yield f"{place}:{function}"
            case ast.Call(func=ast.Attribute(attr=name) | ast.Name(id=name), args=[target, *_]) if (
                name in _PATCHERS
            ):
                if _is_ours(target, ours):
                    yield f"{place}:{function}"
            case ast.Assign(targets=targets):
                if any(isinstance(one, ast.Attribute | ast.Subscript) and _is_ours(one, ours) for one in targets):
                    yield f"{place}:{function}"


_PATCHERS = {"setattr", "delattr", "setitem", "delitem"}
_OURS = ("upbridge", "upbridge_sandbox", "tests", "bench")


def imported_from_us(tree: ast.AST) -> Iterator[str]:
    """The names under which a module knows what it has imported of ours."""
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(module=str(module), names=names) if module.split(".")[0] in _OURS:
                yield from (name.asname or name.name for name in names)
            case ast.Import(names=names):
                yield from (
                    name.asname or name.name.split(".")[0] for name in names if name.name.split(".")[0] in _OURS
                )


def _is_ours(target: ast.expr, ours: set[str]) -> bool:
    """Whether *target* is a place in a module or a class of ours: named by its dotted path, or by what was
    imported."""
    written = ast.unparse(target)
    if isinstance(target, ast.Constant | ast.JoinedStr):
        return written.lstrip("f").strip("'\"").split(".")[0] in _OURS
    return written.split(".")[0].split("[")[0] in ours


def reaches(place: str, tree: ast.AST) -> Iterator[str]:
    """`place:function` where a name with an underscore is imported, or taken from something else than `self`."""
    for function, part in parts(tree):
        match part:
            case ast.ImportFrom(names=names) if any(_is_private(name.name) for name in names):
                yield f"{place}:{function}"
            case ast.Attribute(attr=attr, value=value) if _is_private(attr):
                if ast.unparse(value) not in {"self", "cls", "super()"}:
                    yield f"{place}:{function}"


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def sleeps(place: str, tree: ast.AST) -> Iterator[str]:
    """`place:function` where something waits for more than a turn of the event loop."""
    for function, call in calls(tree):
        if ast.unparse(call.func) in {"asyncio.sleep", "time.sleep"} and ast.unparse(call.args[0]) != "0":
            yield f"{place}:{function}"


def calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    """Each call with the outermost function that it stands in."""
    return ((name, part) for name, part in parts(tree) if isinstance(part, ast.Call))


def parts(tree: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """Each part of a module with the outermost function that it stands in."""
    for node in ast.iter_child_nodes(tree):
        inner = node.body if isinstance(node, ast.ClassDef) else [node]
        for function in inner:
            name = getattr(function, "name", "")
            yield from ((name, part) for part in ast.walk(function))

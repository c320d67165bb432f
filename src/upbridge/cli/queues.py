"""`upbridge problems | changes | outbox`: what needs a person, and what waits."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Protocol, TypeVar

import typer
from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.cli.common import LARGEST_ID, Json, cell, out, print_json, print_rows, with_container
from upbridge.cli.dry_run import change_json, print_changes
from upbridge.domain.lane import Lane
from upbridge.domain.proposed import Proposed
from upbridge.domain.purpose import EVERYTHING
from upbridge.domain.shop_id import ShopId
from upbridge.operations.held_changes import GuardedChanges
from upbridge.operations.many_problems import ManyProblems
from upbridge.store import change_queries, document_queries
from upbridge.store.change_queries import WaitingChange
from upbridge.store.document_queries import WaitingDocument
from upbridge.store.lanes import Block, blocks_of
from upbridge.worker_container import WorkerContainer

problems_app = typer.Typer(help="What needs a person: list, retry, dismiss, take back.", no_args_is_help=True)
changes_app = typer.Typer(help="What waits to be read.", no_args_is_help=True)
outbox_app = typer.Typer(help="What waits to be delivered.", no_args_is_help=True)

OnlyShop = Annotated[str | None, typer.Option("--shop", help="Only this shop.")]
ShopArgument = Annotated[str | None, typer.Argument(metavar="[SHOP]", help="Only this shop.")]
Number = Annotated[int, typer.Argument(metavar="ID", max=LARGEST_ID, help="The problem's id.")]

_LIMIT = 10_000
#: So many changes are shown to people; all of them with `--json`.
_LISTED = 50

T = TypeVar("T")


class _Oldest(Protocol[T]):
    """What waits, the most urgent first."""

    async def __call__(self, tx: AsyncConnection, shop_id: ShopId | None, *, limit: int) -> list[T]: ...


@problems_app.command("list")
def list_problems(
    name: ShopArgument = None,
    shop: OnlyShop = None,
    *,
    handled: Annotated[
        bool, typer.Option("--handled", help="What was handled by hand instead, the last one first.")
    ] = False,
    json: Json = False,
) -> None:
    """Open problems, oldest first."""

    async def work(container: WorkerContainer) -> list[dict[str, Any]]:
        wanted = name or shop
        found = await container.shops.find(wanted) if wanted else None
        listed = container.problems.handled if handled else container.problems.open
        return [
            {
                "id": problem.id,
                "shop": problem.shop_key,
                "key": problem.key,
                "target": problem.target,
                "kind": problem.kind,
                "entity": problem.entity,
                "message": problem.message,
                "since": problem.since,
            }
            for problem in await listed(found.id if found else None, limit=_LIMIT)
        ]

    rows = with_container(work)
    if json:
        print_json(rows)
    else:
        print_rows(
            [{**row, "what": _what(row, "entity")} for row in rows],
            columns=("id", "shop", "target", "what", "message", "since"),
            wrapped=("message",),
            empty="Nothing was handled by hand." if handled else "No open problems.",
        )


@problems_app.command("show")
def show_problem(number: Number, *, json: Json = False) -> None:
    """What a guard holds: each change, old and new. `problems retry` lets it pass, `problems dismiss` does not."""

    async def work(container: WorkerContainer) -> tuple[GuardedChanges, list[Proposed]]:
        problem = await container.problems.get(number)
        held = await container.held_changes.look(problem.shop_id, number)
        return held, await container.held_changes.changes(problem, limit=_LIMIT if json else _LISTED)

    held, found = with_container(work)
    problem = held.problem
    if json:
        about = {"id": problem.id, "shop": problem.shop_key, "key": problem.key, "count": held.count}
        print_json({**about, "changes": [change_json(one) for one in found]})
        return
    out.print(f"{problem.shop_key}: {problem.message}")
    print_changes(found)


@problems_app.command("retry")
def retry_problem(number: Number) -> None:
    """Try again: read the thing again, or send again what was parked."""
    out.print(with_container(lambda container: container.problem_actions.retry(number)))


@problems_app.command("dismiss")
def dismiss_problem(number: Number) -> None:
    """I handled it by hand: close it, and do not send what was parked."""
    out.print(with_container(lambda container: container.problem_actions.dismiss(number)))


@problems_app.command("take-back")
def take_problem_back(number: Number) -> None:
    """I did not handle it after all: it is a problem again, and is read or sent again where that can be."""

    async def work(container: WorkerContainer) -> str:
        problem = await container.problems.get(number, handled=True)
        await ManyProblems(container.problem_actions).take_back(problem.shop_id, [number])
        return f"problem {number} is open again"

    out.print(with_container(work))


@changes_app.command("list")
def list_changes(name: ShopArgument = None, shop: OnlyShop = None, *, json: Json = False) -> None:
    """Changes that wait to be read: what, since when, why."""

    def row(change: WaitingChange, queue: _Queue) -> dict[str, Any]:
        return {
            "shop": queue.keys.get(change.shop_id),
            "source": change.source,
            "kind": change.kind,
            "key": change.key,
            "origin": change.origin,
            "priority": change.priority,
            "attempts": change.attempts,
            "since": change.marked_at,
            "due_at": change.due_at,
            **queue.blocked(Lane.pull(change.shop_id, change.source), change.priority),
        }

    _list(
        _rows(name or shop, change_queries.oldest, row),
        json=json,
        shown=lambda one: {"waits for": _why(one)},
        columns=("shop", "source", "what", "origin", "tries", "since", "waits for"),
        wrapped=("what", "waits for"),
        empty="Nothing waits to be read.",
    )


@outbox_app.command("list")
def list_outbox(name: ShopArgument = None, shop: OnlyShop = None, *, json: Json = False) -> None:
    """Documents that wait to be delivered: to whom, since when, why. Bodies are sealed and not shown."""

    def row(document: WaitingDocument, queue: _Queue) -> dict[str, Any]:
        return {
            "shop": queue.keys.get(document.shop_id),
            "target": document.target,
            "kind": document.kind,
            "key": document.key,
            "state": document.state,
            "reason": document.reason,
            "attempts": document.attempts,
            "since": document.since,
            "due_at": document.due_at,
            **queue.blocked(Lane.push(document.shop_id, document.target)),
        }

    _list(
        _rows(name or shop, document_queries.oldest, row),
        json=json,
        shown=lambda one: {"state": _state(one)},
        columns=("shop", "target", "what", "tries", "since", "state"),
        wrapped=("state",),
        empty="Nothing waits to be delivered.",
    )


@dataclass(frozen=True, slots=True)
class _Queue:
    """What is said of everything that waits: the keys of the shops, and the lanes that are kept back."""

    keys: Mapping[ShopId, str]
    blocks: Mapping[Lane, Block]

    def blocked(self, lane: Lane, priority: int = EVERYTHING) -> dict[str, Any]:
        """Why *lane* keeps what waits in it with *priority*, and until when."""
        block = self.blocks.get(lane)
        if block is None or block.priority > priority:
            return {"blocked": None, "blocked_until": None}
        return {"blocked": block.reason, "blocked_until": block.until}


def _rows(
    name: str | None, oldest: _Oldest[T], row: Callable[[T, _Queue], dict[str, Any]]
) -> list[dict[str, Any]]:
    async def work(container: WorkerContainer) -> list[dict[str, Any]]:
        only = (await container.shops.find(name)).id if name else None
        async with container.engine.connect() as tx:
            waiting = await oldest(tx, only, limit=_LIMIT)
            blocks = await blocks_of(tx, only, now=container.clock())
        queue = _Queue({shop.id: shop.key for shop in await container.shops.all()}, blocks)
        return [row(one, queue) for one in waiting]

    return with_container(work)


def _list(
    rows: list[dict[str, Any]], *, json: bool, shown: Callable[[Mapping[str, Any]], dict[str, Any]], **table: Any
) -> None:
    if json:
        print_json(rows)
        return
    people = [{**one, "what": _what(one, "key"), "tries": one["attempts"], **shown(one)} for one in rows]
    print_rows(people, **table)


def _what(row: Mapping[str, Any], name: str) -> str:
    return f"{row['kind']} {row[name]}"


def _why(row: Mapping[str, Any]) -> str:
    """Why its lane waits, else until when the change itself does."""
    if row["blocked"] is None:
        return str(cell(row["due_at"]))
    return f"{cell(row['blocked_until'])}: {row['blocked']}"


def _state(row: Mapping[str, Any]) -> str:
    """What a document waits for: a person, its lane, or its turn."""
    if row["reason"] is not None:
        return f"{row['state']}: {row['reason']}"
    return f"{row['state']}: {_why(row)}" if row["blocked"] is not None else str(row["state"])

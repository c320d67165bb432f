"""`upbridge problems | changes | outbox`: what needs a person, and what waits."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer
from sqlalchemy import text

from upbridge.cli.common import Json, cell, out, print_json, print_rows, with_service
from upbridge.engine.context import Service
from upbridge.operations.resolve_problem import dismiss, retry

problems_app = typer.Typer(help="What needs a person: list, retry, dismiss.", no_args_is_help=True)
changes_app = typer.Typer(help="What waits to be read.", no_args_is_help=True)
outbox_app = typer.Typer(help="What waits to be delivered.", no_args_is_help=True)

OnlyShop = Annotated[str | None, typer.Option("--shop", help="Only this shop.")]
ShopArgument = Annotated[str | None, typer.Argument(metavar="[SHOP]", help="Only this shop.")]
Number = Annotated[int, typer.Argument(metavar="ID", help="The problem's id.")]

_LIMIT = 10_000


@problems_app.command("list")
def list_problems(name: ShopArgument = None, shop: OnlyShop = None, *, json: Json = False) -> None:
    """Open problems, oldest first."""

    async def work(service: Service) -> list[dict[str, Any]]:
        wanted = name or shop
        found = await service.shops.find(wanted) if wanted else None
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
            for problem in await service.problems.open(found.id if found else None, limit=_LIMIT)
        ]

    rows = with_service(work)
    if json:
        print_json(rows)
    else:
        print_rows(
            [{**row, "what": _what(row, "entity")} for row in rows],
            columns=("id", "shop", "target", "what", "message", "since"),
            wrapped=("message",),
            empty="No open problems.",
        )


@problems_app.command("retry")
def retry_problem(number: Number) -> None:
    """Try again: read the thing again, or send again what was parked."""
    out.print(with_service(lambda service: retry(service, number)))


@problems_app.command("dismiss")
def dismiss_problem(number: Number) -> None:
    """I handled it by hand: close it, and do not send what was parked."""
    out.print(with_service(lambda service: dismiss(service, number)))


@changes_app.command("list")
def list_changes(name: ShopArgument = None, shop: OnlyShop = None, *, json: Json = False) -> None:
    """Changes that wait to be read: what, since when, why."""
    rows = with_service(
        lambda service: _select(
            service,
            name or shop,
            """
            SELECT s.key AS shop, c.source, c.kind, c.key, c.origin, c.priority, c.attempts,
              c.hinted_at AS since, c.due_at, l.reason AS blocked, l.until AS blocked_until
            FROM changes c JOIN shops s ON s.id = c.shop_id
            LEFT JOIN lanes l ON l.shop_id = c.shop_id AND l.lane = 'pull:' || c.source AND l.until > :now
              AND l.priority <= c.priority
            WHERE CAST(:shop AS uuid) IS NULL OR s.id = :shop
            ORDER BY c.priority, c.seq LIMIT :limit
            """,
        )
    )
    if json:
        print_json(rows)
    else:
        print_rows(
            [{**row, "what": _what(row, "key"), "tries": row["attempts"], "waits for": _why(row)} for row in rows],
            columns=("shop", "source", "what", "origin", "tries", "since", "waits for"),
            wrapped=("what", "waits for"),
            empty="Nothing waits to be read.",
        )


@outbox_app.command("list")
def list_outbox(name: ShopArgument = None, shop: OnlyShop = None, *, json: Json = False) -> None:
    """Documents that wait to be delivered: to whom, since when, why. Bodies are sealed and not shown."""
    rows = with_service(
        lambda service: _select(
            service,
            name or shop,
            """
            SELECT s.key AS shop, d.target, d.kind, d.key, d.state, d.reason, d.attempts, d.since, d.due_at,
              l.reason AS blocked, l.until AS blocked_until
            FROM documents d JOIN shops s ON s.id = d.shop_id
            LEFT JOIN lanes l ON l.shop_id = d.shop_id AND l.lane = 'push:' || d.target AND l.until > :now
            WHERE CAST(:shop AS uuid) IS NULL OR s.id = :shop
            ORDER BY d.priority, d.seq LIMIT :limit
            """,
        )
    )
    if json:
        print_json(rows)
    else:
        print_rows(
            [{**row, "what": _what(row, "key"), "tries": row["attempts"], "state": _state(row)} for row in rows],
            columns=("shop", "target", "what", "tries", "since", "state"),
            wrapped=("state",),
            empty="Nothing waits to be delivered.",
        )


def _what(row: Mapping[str, Any], name: str) -> str:
    return f"{row['kind']} {row[name]}"


def _why(row: Mapping[str, Any]) -> str:
    """Why its lane waits, else until when the change itself does."""
    if row["blocked"] is None:
        return cell(row["due_at"])
    return f"{cell(row['blocked_until'])}: {row['blocked']}"


def _state(row: Mapping[str, Any]) -> str:
    """What a document waits for: a person, its lane, or its turn."""
    if row["reason"] is not None:
        return f"{row['state']}: {row['reason']}"
    return f"{row['state']}: {_why(row)}" if row["blocked"] is not None else str(row["state"])


async def _select(service: Service, name: str | None, query: str) -> list[dict[str, Any]]:
    shop = await service.shops.find(name) if name else None
    async with service.engine.connect() as tx:
        values = {"shop": shop.id if shop else None, "now": service.clock(), "limit": _LIMIT}
        rows = await tx.execute(text(query), values)
        return [dict(row) for row in rows.mappings()]

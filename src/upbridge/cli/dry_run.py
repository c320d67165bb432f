"""What a change of settings would do, for `upbridge shops settings --dry-run`."""

from collections.abc import Mapping, Sequence
from typing import Any

from upbridge.cli.common import out, print_json, print_rows, with_container
from upbridge.domain.proposed import Proposed, Shown
from upbridge.operations.dry_run import Rehearsed
from upbridge.worker_container import WorkerContainer

#: So many changes are printed; all of them with `--json`.
_LISTED = 50


def print_dry_run(name: str, texts: Mapping[str, str], *, json: bool) -> None:
    """Print what changing the settings of the shop *name* would do at once; nothing is changed."""

    async def work(container: WorkerContainer) -> Rehearsed:
        shop = await container.shops.find(name)
        return await container.rehearsals.rehearse(shop, texts, limit=None if json else _LISTED)

    found = with_container(work).parts
    if json:
        print_json(
            [
                {
                    "name": part.name,
                    "system": part.system or None,
                    "counts": dict(part.counts),
                    "early": part.early,
                    "changes": [change_json(one) for one in part.changes],
                }
                for part in found
            ]
        )
        return
    for part in found:
        counts = ", ".join(f"{name} {number}" for name, number in part.counts.items())
        out.print(f"{part.name} {part.system}".strip() + f": {counts}")
        if part.changes:
            print_changes(part.changes)
    out.print("Nothing was changed." if found else "Nothing else would happen at once. Nothing was changed.")


def print_changes(changes: Sequence[Proposed]) -> None:
    """Print *changes* as a table."""
    rows = [change_json(one) for one in changes]
    print_rows(rows, columns=("code", "old", "new"), wrapped=("code",), empty="It would change nothing.")


def change_json(one: Proposed) -> dict[str, Any]:
    """A change as JSON has it."""
    return {"code": one.code, "key": one.key, "old": _plain(one.old), "new": _plain(one.new)}


def _plain(value: Shown) -> Any:
    if value is None or isinstance(value, bool):
        return value
    return int(value) if value == int(value) else float(value)

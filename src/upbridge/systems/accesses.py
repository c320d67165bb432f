"""The calls that may be made to a system, declared one by one for its operator."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypedDict


@dataclass(frozen=True, slots=True)
class Access:
    """One declared call. `path` is below `/api/v2` and may have `{names}`; `section` is the endpoint's name in
    the form, `service` the one by which GET /status grants it (None: always allowed)."""

    name: str
    section: str
    method: Literal["GET", "POST", "PUT", "DELETE"]
    path: str
    frequency: str
    repetitions: str
    webhook: bool
    description: str
    service: str | None = None

    @property
    def label(self) -> str:
        """Method and path, as the budget counts it: `GET /orders`."""
        return f"{self.method} {self.path}"


class AccessRow(TypedDict):
    """One line of the table, as `upbridge accesses --format json` prints it."""

    section: str
    method: str
    path: str
    frequency: str
    repetitions: str
    webhook: bool
    description: str


@dataclass(frozen=True, slots=True)
class DeclaredCalls:
    """All declared calls of a system, below *prefix*."""

    prefix: str
    accesses: Sequence[Access]

    def as_rows(self) -> list[AccessRow]:
        """The table for the Marketplace form, in the order of the form; paths are whole (`/api/v2/orders`)."""
        return [
            AccessRow(
                section=access.section,
                method=access.method,
                path=f"{self.prefix}{access.path}",
                frequency=access.frequency,
                repetitions=access.repetitions,
                webhook=access.webhook,
                description=access.description,
            )
            for access in self.accesses
        ]

    def as_markdown(self) -> str:
        """The same table in Markdown."""
        lines = [
            "| Section | Call | Frequency | Repetitions | Webhooks | What for |",
            "| --- | --- | --- | --- | --- | --- |",
        ]
        lines += [
            f"| {row['section']} | `{row['method']} {row['path']}` | {row['frequency']} | {row['repetitions']} "
            f"| {'YES' if row['webhook'] else 'NO'} | {row['description']} |"
            for row in self.as_rows()
        ]
        return "\n".join(lines) + "\n"


#: For a system whose operator wants no list of calls.
NONE_DECLARED = DeclaredCalls("", ())

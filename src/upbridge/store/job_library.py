"""What the job library's own tables say: how many jobs there are, how many workers live."""

from datetime import timedelta
from typing import Any

from sqlalchemy import Select, Text, cast, column, func, select, table

DEAD_AFTER = timedelta(seconds=15)
"""A worker that has sent no heartbeat for this long is dead."""

_jobs = table("procrastinate_jobs", column("status"))
_workers = table("procrastinate_workers", column("last_heartbeat"))

STATUSES = ("todo", "doing", "succeeded", "failed", "cancelled", "aborting", "aborted")
"""Every status that a job can have."""


def count_by_status() -> Select[str, int]:
    """How many jobs there are, by status: for the metric."""
    status = cast(_jobs.c.status, Text)
    return select(status, func.count()).group_by(status)


def count_workers(queues: int) -> Select[Any]:
    """How many workers live, each of which takes jobs from so many *queues* and is listed once for each (decision
    0016). By the database's own time: it wrote down when each was heard of."""
    living = _workers.c.last_heartbeat > func.now() - DEAD_AFTER
    return select((func.count() + (queues - 1)) // queues).where(living)

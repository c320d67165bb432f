"""What Postgres knows of tables that have just grown: counted at once, not when its own housekeeping comes by.

A first import fills empty tables within seconds. Postgres counts a table again only about once a minute, and as
long as it takes a table for empty, every index looks as good as any other to it: a look-up by key then reads
everything that a shop has. (Postgres documentation, "Populating a Database": run ANALYZE after adding many rows.)
"""

from sqlalchemy import DDL, text
from sqlalchemy.ext.asyncio import AsyncEngine

from upbridge.store.schema import metadata

#: The tables that an import fills, and that it reads while it does.
TABLES = ("changes", "documents", "links", "open_order_lines", "problems", "skus", "variants")
#: Smaller tables are read as fast either way.
_WORTH_IT = 500

_COUNT = DDL("ANALYZE %(fullname)s")  # type: ignore[no-untyped-call]

_GROWN = text(
    """
    SELECT c.relname AS name FROM pg_stat_user_tables s JOIN pg_class c ON c.oid = s.relid
    WHERE s.schemaname = current_schema() AND s.relname = ANY(:tables) AND s.n_live_tup >= :worth_it
      AND s.n_live_tup > 2 * GREATEST(c.reltuples, 0)
    ORDER BY 1
    """
)


async def count_grown(engine: AsyncEngine) -> list[str]:
    """Let Postgres count the tables that hold more than twice of what it believes; returns their names."""
    async with engine.connect() as plain:
        tx = await plain.execution_options(isolation_level="AUTOCOMMIT")
        rows = await tx.execute(_GROWN, {"tables": list(TABLES), "worth_it": _WORTH_IT})
        grown = [str(row.name) for row in rows]
        for name in grown:
            await tx.execute(_COUNT.against(metadata.tables[name]))
    return grown

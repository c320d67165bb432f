"""Alembic's entry: one connection, one advisory lock, our tables only."""

from typing import Any

from alembic import context
from sqlalchemy import NullPool, create_engine, text

from upbridge.store.schema import metadata

#: How long a change of the schema waits for who works on the table. Everybody who comes after it waits behind it,
#: and a webhook is answered within half a second; `migrate` tries again.
LOCK_DEADLINE = "250ms"
#: Any number that no other lock uses: processes that migrate at the same time take turns on it.
LOCK = 7_235_801_994


def ours(name: str | None, kind: str, _parents: Any) -> bool:
    """Leave the job library's tables alone: its own schema file is their truth."""
    return not (kind == "table" and (name or "").startswith("procrastinate_"))


url = context.config.attributes.get("url") or context.config.get_main_option("sqlalchemy.url")
engine = create_engine(str(url), poolclass=NullPool)
with engine.connect() as connection:
    connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": LOCK})
    connection.execute(text(f"SET lock_timeout = '{LOCK_DEADLINE}'"))
    connection.commit()
    try:
        context.configure(
            connection=connection,
            target_metadata=metadata,
            include_name=ours,
            compare_server_default=False,
            transaction_per_migration=True,
        )
        with context.begin_transaction():
            context.run_migrations()
    finally:
        connection.rollback()
        connection.execute(text("SELECT pg_advisory_unlock(:lock)"), {"lock": LOCK})
        connection.commit()

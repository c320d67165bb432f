"""What broke a connection

Revision ID: 0032
Revises: 0031

What was to be done about a login that no key opens hung on the words of the reason that people read.
"""

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None

#: The reason as it was written by every version before.
_UNREADABLE = "The stored login cannot be opened: none of UPBRIDGE_ENCRYPTION_KEYS has sealed it."


def upgrade() -> None:
    op.add_column("connections", sa.Column("broken_by", sa.Text()))
    table = sa.table("connections", *map(sa.column, ("state", "reason", "broken_by")))
    unreadable = sa.and_(table.c.state == "broken", table.c.reason == _UNREADABLE)
    op.execute(sa.update(table).where(unreadable).values(broken_by="unreadable"))


def downgrade() -> None:
    op.drop_column("connections", "broken_by")

"""When a login was stored.

Revision ID: 0007
Revises: 0006

A connection is as old as its account, its secret may be newer. The previous version writes no `login_at`: a login
that it stores gets the default, one that it replaces keeps the moment of the first.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "connections",
        sa.Column("login_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
    )
    op.execute("UPDATE connections SET login_at = connected_at")


def downgrade() -> None:
    op.drop_column("connections", "login_at")

"""When a worker was last there, and in which database

Revision ID: 0018
Revises: 0017

A table more: the version before does not know it and needs it not.
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "heartbeat",
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("identity", sa.Text(), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("heartbeat")

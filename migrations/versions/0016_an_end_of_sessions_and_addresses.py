"""A last moment for each session, and a generation of webhook addresses for each shop

Revision ID: 0016
Revises: 0015

Sessions that are open keep the idle time that they have, as their last moment.
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("sessions", sa.Column("ends_at", sa.DateTime(timezone=True), nullable=True))
    op.execute("UPDATE sessions SET ends_at = expires_at")
    op.alter_column("sessions", "ends_at", nullable=False)
    for column in ("webhook_generation", "webhooks_taken_from"):
        op.add_column("shops", sa.Column(column, sa.Integer(), server_default="0", nullable=False))


def downgrade() -> None:
    op.drop_column("shops", "webhooks_taken_from")
    op.drop_column("shops", "webhook_generation")
    op.drop_column("sessions", "ends_at")

"""Lanes by direction and system, in the place of a name put together from both

Revision ID: 0012
Revises: 0011

Not for a running version: 0.1.0 was never released, so the column is replaced in one step, without one version in
which both are written. Blocked lanes keep their blocks.
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("lanes", sa.Column("direction", sa.Text(), nullable=True))
    op.add_column("lanes", sa.Column("system", sa.Text(), nullable=True))
    op.execute("UPDATE lanes SET direction = split_part(lane, ':', 1), system = split_part(lane, ':', 2)")
    op.drop_constraint(op.f("lanes_pkey"), "lanes", type_="primary")
    op.drop_column("lanes", "lane")
    op.create_primary_key(op.f("lanes_pkey"), "lanes", ["shop_id", "direction", "system"])


def downgrade() -> None:
    op.add_column("lanes", sa.Column("lane", sa.Text(), nullable=True))
    op.execute("UPDATE lanes SET lane = direction || ':' || system")
    op.drop_constraint(op.f("lanes_pkey"), "lanes", type_="primary")
    op.drop_column("lanes", "system")
    op.drop_column("lanes", "direction")
    op.create_primary_key(op.f("lanes_pkey"), "lanes", ["shop_id", "lane"])

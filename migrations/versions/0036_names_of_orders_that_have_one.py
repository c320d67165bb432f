"""Names of orders that have one

Revision ID: 0036
Revises: 0035

Postgres read every order of a shop through these indexes to count those of a month. They may serve only who looks
for a name.
"""

import sqlalchemy as sa
from alembic import op

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None

_NUMBER = "(metadata ->> 'order_number')"
_NAMED = {"remote_id": "links_remote_id_idx", _NUMBER: "links_order_number_idx"}


def upgrade() -> None:
    _index(" AND {name} IS NOT NULL")


def downgrade() -> None:
    _index("")


def _index(condition: str) -> None:
    for name, index in _NAMED.items():
        op.drop_index(index, "links")
        where = sa.text("kind = 'order'" + condition.format(name=name))
        op.create_index(index, "links", ["shop_id", sa.text(name)], postgresql_where=where)

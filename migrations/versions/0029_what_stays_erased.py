"""An order whose person was erased is found in the links of every system, connected or not

Revision ID: 0029
Revises: 0028
"""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    erased = sa.text("erased_at IS NOT NULL")
    op.create_index("links_erased_idx", "links", ["shop_id", "kind", "key"], postgresql_where=erased)


def downgrade() -> None:
    op.drop_index("links_erased_idx", "links")

"""What a page shows of an order, why no system is sent it, and titles without accents

Revision ID: 0025
Revises: 0024

The first two come with the next reading of an order; until then it has neither. A title is now found,
and sorted, by its letters without accents.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("orders", sa.Column("outline", postgresql.JSONB(none_as_null=True), nullable=True))
    op.add_column(
        "orders",
        sa.Column("kept_back", postgresql.JSONB(), nullable=False, server_default=sa.text("'{}'::jsonb")),
    )

    _fold("translate(lower(title), 'áäčďéěíĺľňóôöőŕřšťúůüűýž', 'aacdeeillnoooorrstuuuuyz')")


def _fold(expression: str) -> None:
    """Compute the folded title anew, and the index that goes with its column."""
    op.drop_column("variants", "title_folded")
    op.add_column("variants", sa.Column("title_folded", sa.Text(), sa.Computed(expression, persisted=True)))
    op.create_index("variants_match_idx", "variants", ["shop_id", "match", "title_folded", "code", "key"])


def downgrade() -> None:
    _fold("lower(title)")
    op.drop_column("orders", "kept_back")
    op.drop_column("orders", "outline")

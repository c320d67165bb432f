"""Titles in the order of Czech and Slovak

Revision ID: 0030
Revises: 0029

By their letters without accents "č" came before "cz"; and the order hung on the collation of the database.
"""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None

_SORTED = (
    "replace(replace(replace(replace(replace("
    "translate(lower(title), 'áäďéěíĺľňóôöőŕťúůüűý', 'aadeeillnoooortuuuuy'),"
    " 'ch', 'h~'), 'č', 'c~'), 'ř', 'r~'), 'š', 's~'), 'ž', 'z~')"
)


def upgrade() -> None:
    op.add_column(
        "variants", sa.Column("title_sorted", sa.Text(collation="C"), sa.Computed(_SORTED, persisted=True))
    )
    _index_by("title_sorted")


def downgrade() -> None:
    _index_by("title_folded")
    op.drop_column("variants", "title_sorted")


def _index_by(title: str) -> None:
    op.drop_index("variants_match_idx", "variants")
    op.create_index("variants_match_idx", "variants", ["shop_id", "match", title, "code", "key"])

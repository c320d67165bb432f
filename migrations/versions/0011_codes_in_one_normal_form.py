"""Codes in one normal form, kept beside the codes as they were written

Revision ID: 0011
Revises: 0010

Codes and EANs were compared in three ways, one of them in SQL. Their normal form is now computed by the service
alone and stored: `code_key` and `ean_key` of `variants` and `skus`. The rows that are there get theirs here, in
portions. Which variant is which SKU follows by itself when the SKUs are read the next time, within minutes.

No version was released before this one. The previous version of the service would work on the new tables, but
write variants without their keys, which then match nothing until the shop's products are read again.
"""

import unicodedata

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_PORTION = 20_000
_KEYS = (("variants", "code", "code_key"), ("variants", "ean", "ean_key"))
_KEYS += (("skus", "sku_number", "code_key"), ("skus", "ean", "ean_key"))
_UNSEEN = frozenset({"Zs", "Zl", "Zp", "Cc", "Cf"})


def upgrade() -> None:
    for table, code, key in _KEYS:
        op.add_column(table, sa.Column(key, sa.Text(), nullable=True))
        _fill(table, code, key)
        op.create_index(f"{table}_shop_id_{key}_idx", table, ["shop_id", key], unique=False)
    for table, code in (("variants", "code"), ("variants", "ean"), ("skus", "sku_number"), ("skus", "ean")):
        op.drop_index(f"{table}_shop_id_{code}_idx", table_name=table)


def downgrade() -> None:
    op.create_index("skus_shop_id_ean_idx", "skus", ["shop_id", "ean"], unique=False)
    for table, code in (("variants", "code"), ("variants", "ean"), ("skus", "sku_number")):
        expression = sa.literal_column(f"lower(btrim({code}))")
        op.create_index(f"{table}_shop_id_{code}_idx", table, ["shop_id", expression], unique=False)
    for table, _, key in _KEYS:
        op.drop_index(f"{table}_shop_id_{key}_idx", table_name=table)
        op.drop_column(table, key)


def _fill(table: str, code: str, key: str) -> None:
    rows = sa.table(table, sa.column(code), sa.column(key))
    written = op.get_bind().scalars(sa.select(rows.c[code]).where(rows.c[code].is_not(None)).distinct()).all()
    keys = (
        sa.func.unnest(
            sa.bindparam("codes", type_=sa.ARRAY(sa.Text)), sa.bindparam("keys", type_=sa.ARRAY(sa.Text))
        )
        .table_valued("code", "key", name="pairs")
        .render_derived()
    )
    fill = sa.update(rows).values({key: keys.c.key}).where(rows.c[code] == keys.c.code)
    for start in range(0, len(written), _PORTION):
        codes = list(written[start : start + _PORTION])
        op.get_bind().execute(fill, {"codes": codes, "keys": [_normal(one) for one in codes]})


def _normal(code: str) -> str | None:
    """The normal form as this version has it."""
    seen = "".join(
        sign for sign in unicodedata.normalize("NFD", code) if unicodedata.category(sign) not in _UNSEEN
    )
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", seen).casefold()) or None

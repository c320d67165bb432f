"""The whole data model on one page. Rooms own their queries; this page owns the tables.

Each table says what prunes it. Times are `timestamptz`, secrets are encrypted `bytea`, ids of shops are UUIDs. The
process that writes a row takes its times from its own clock (`tests/project/test_times.py` holds that): the
defaults are for rows that a person writes by hand. The job library's own tables come from its schema
(migrations/versions), not from here.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Computed,
    DateTime,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    Sequence,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.engine.default import DefaultExecutionContext

from upbridge.core.package_files import package_file
from upbridge.domain.sku import code_key

#: The newest revision in migrations/versions: what this code wants the database to have. By the files' names,
#: because only who migrates pays for loading Alembic.
HEAD = max(path.name.partition("_")[0] for path in package_file("migrations").glob("versions/[0-9]*_*.py"))

metadata = MetaData(
    naming_convention={
        "ix": "%(table_name)s_%(column_0_N_name)s_idx",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "ck": "%(table_name)s_%(constraint_name)s_check",
        "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
        "pk": "%(table_name)s_pkey",
    }
)

#: Letters of Czech and Slovak and its neighbours, and what people type for them. Frozen: a column is made of them.
ACCENTED, PLAIN = "áäčďéěíĺľňóôöőŕřšťúůüűýž", "aacdeeillnoooorrstuuuuyz"
#: A title as Czech and Slovak sort it, for the collation "C", which every Postgres has: "č" comes after "cz", "ch"
#: after "hz", and a long vowel where the short one does. Frozen likewise.
_SORTED = (
    "replace(replace(replace(replace(replace("
    "translate(lower(title), 'áäďéěíĺľňóôöőŕťúůüűý', 'aadeeillnoooortuuuuy'),"
    " 'ch', 'h~'), 'č', 'c~'), 'ř', 'r~'), 'š', 's~'), 'ž', 'z~')"
)
_EMPTY = text("'{}'::jsonb")
_NOW = func.now()


@dataclass(frozen=True, slots=True)
class Kept:
    """How long after the moment in its column a row is kept; with *state*, only rows in that state are deleted."""

    days: int
    state: str | None = None


def _at(name: str, *, nullable: bool = True, now: bool = False, kept: Kept | None = None) -> Column[object]:
    return Column(
        name,
        DateTime(timezone=True),
        nullable=nullable,
        server_default=_NOW if now else None,
        info={} if kept is None else {"kept": kept},
    )


def _encrypted(name: str, *, nullable: bool = True) -> Column[object]:
    """Bytes that `core.encryption.Cipher` made; `upbridge keys rotate` encrypts them anew."""
    return Column(name, LargeBinary, nullable=nullable, info={"encrypted": True})


def _key_of(code: str, name: str | None = None) -> Column[str]:
    """The column *code* as it is compared (`domain.sku.code_key`): by itself in an insert of Core, by hand in any
    other statement that writes *code*."""

    def value(context: DefaultExecutionContext) -> str | None:
        row: dict[str, Any] = context.get_current_parameters()  # type: ignore[no-untyped-call]
        return code_key(row.get(code))

    return Column(name or f"{code}_key", Text, default=value)


def _shop(*, primary_key: bool = True) -> Column[object]:
    """The shop that a row belongs to; erasing the shop erases the row."""
    return Column("shop_id", Uuid, ForeignKey("shops.id", ondelete="CASCADE"), primary_key=primary_key)


# --- shops --------------------------------------------------------------------------------------------------

#: A shop for as long as it is not erased. Never pruned; `upbridge shops erase` deletes the row and all below.
shops = Table(
    "shops",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("key", Text, nullable=False, unique=True),
    Column("token", Text, nullable=False, unique=True),
    Column("state", Text, nullable=False),
    Column("reason", Text),
    _at("state_since", nullable=False, now=True),
    Column("api_url", Text, nullable=False),
    Column("api_user", Text),
    _encrypted("api_key"),
    Column("version", Integer),
    Column("language", Text, nullable=False, server_default="cs"),
    Column("settings", JSONB, nullable=False, server_default=_EMPTY),
    Column("facts", JSONB),
    _at("facts_at"),
    _at("subscribed_at"),
    Column("webhook_failures", JSONB(none_as_null=True)),
    Column("webhook_generation", Integer, nullable=False, server_default="0"),
    Column("webhooks_taken_from", Integer, nullable=False, server_default="0"),
    _at("reconciled_at"),
    _at("probed_at"),
    _at("signed_at"),
    _at("installed_at", nullable=False, now=True),
    _at("uninstalled_at"),
)

#: A shop's link to Upp.ai or Uphance. Deleted with the shop or by disconnecting.
connections = Table(
    "connections",
    metadata,
    _shop(),
    Column("system", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("reason", Text),
    Column("broken_by", Text),
    Column("account", Text, nullable=False),
    Column("prefix", Text, nullable=False, server_default=""),
    _encrypted("secret"),
    _encrypted("tokens"),
    _at("tokens_renew_at"),
    Column("facts", JSONB, nullable=False, server_default=_EMPTY),
    _at("polled_at"),
    _at("connected_at", nullable=False, now=True),
    _at("login_at", nullable=False, now=True),
    Index("connections_system_account_idx", "system", "account"),
)

#: What needs a person, one row per cause and thing. Rows go when resolved, dismissed ones after their retention.
problems = Table(
    "problems",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    _shop(primary_key=False),
    Column("stage", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("entity", Text, nullable=False),
    Column("parent", Text, nullable=False),
    Column("params", JSONB, nullable=False, server_default=_EMPTY),
    Column("message", Text, nullable=False),
    _at("since", nullable=False, now=True),
    _at("found_at"),
    _at("dismissed_at", kept=Kept(days=90)),
    Index("problems_once_idx", "shop_id", "target", "kind", "entity", "key", unique=True),
    Index("problems_parent_idx", "shop_id", "target", "parent"),
    Index("problems_dismissed_at_idx", "dismissed_at", postgresql_where=text("dismissed_at IS NOT NULL")),
)

#: One-use tickets and permits (60 s), and the sessions that tickets open; only digests are kept. Pruned when
#: expired.
sessions = Table(
    "sessions",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column("purpose", Text, nullable=False),
    _shop(primary_key=False),
    Column("language", Text, nullable=False),
    _at("expires_at", nullable=False, kept=Kept(days=1)),
    _at("ends_at", nullable=False),
    Index("sessions_expires_at_idx", "expires_at"),
)

#: Signatures that were accepted, to notice a replay. Pruned when their `time` can no longer be accepted.
signatures = Table(
    "signatures",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column("endpoint", Text, nullable=False),
    _at("seen_at", nullable=False, now=True, kept=Kept(days=3)),
    Index("signatures_seen_at_idx", "seen_at"),
)

#: Secrets that the service makes for itself (webhook addresses), sealed. A handful of rows.
secrets = Table(
    "secrets",
    metadata,
    Column("name", Text, primary_key=True),
    _encrypted("value", nullable=False),
)

#: One row: when a worker was last there, and which database that was. Older than it should be after a restore.
heartbeat = Table(
    "heartbeat",
    metadata,
    Column("name", Text, primary_key=True),
    _at("at", nullable=False),
    Column("identity", Text, nullable=False),
)

# --- change -> document -> link -----------------------------------------------------------------------------

#: Webhook deliveries as received, for diagnosis. No customer data (R43-R46). Pruned after a few days.
deliveries = Table(
    "deliveries",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    _shop(primary_key=False),
    Column("source", Text, nullable=False),
    Column("event", Text, nullable=False),
    Column("records", Integer, nullable=False),
    Column("keys", ARRAY(Text), nullable=False),
    _at("received_at", nullable=False, now=True, kept=Kept(days=7)),
    Index("deliveries_received_at_idx", "received_at"),
    Index("deliveries_shop_id_received_at_idx", "shop_id", "received_at"),
)

#: The oldest version of the schema whose code may run on this one: one row, which migrations write.
compatibility = Table("compatibility", metadata, Column("oldest", Text, primary_key=True))

change_seq = Sequence("change_seq", metadata=metadata)

#: What may have changed: a set, not a log. A row goes when it was worked on and its `seq` did not move.
changes = Table(
    "changes",
    metadata,
    _shop(),
    Column("source", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("seq", BigInteger, nullable=False, server_default=change_seq.next_value()),
    Column("origin", Text, nullable=False),
    Column("priority", SmallInteger, nullable=False),
    Column("attempts", SmallInteger, nullable=False, server_default="0"),
    _at("marked_at", nullable=False, now=True),
    _at("due_at", nullable=False, now=True),
    _at("told_at"),
    Index("changes_next_idx", "shop_id", "source", "priority", "due_at", "seq"),
)

#: What one look at the shop took away (gone, no stock, no price), and when: believed when a later look agrees. A
#: row goes as soon as the thing is there again, or its absence is believed.
first_looks = Table(
    "first_looks",
    metadata,
    _shop(),
    Column("key", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    _at("looked_at", nullable=False, kept=Kept(days=30)),
    Column("told", Boolean, nullable=False),
)

_OF_ORDERS = text("kind = 'order'")

#: What has to be delivered: the newest body per target and key, sealed. A row goes when it was delivered.
documents = Table(
    "documents",
    metadata,
    _shop(),
    Column("target", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("parent", Text, nullable=False),
    Column("seq", BigInteger, nullable=False, server_default=change_seq.next_value()),
    _encrypted("body", nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Column("state", Text, nullable=False, server_default="waiting"),
    Column("reason", Text),
    Column("priority", SmallInteger, nullable=False),
    Column("attempts", SmallInteger, nullable=False, server_default="0"),
    _at("since", nullable=False, now=True),
    _at("due_at", nullable=False, now=True),
    Index("documents_parent_idx", "shop_id", "target", "parent"),
    Index("documents_shop_id_target_state_due_at_idx", "shop_id", "target", "state", "due_at"),
    Index(
        "documents_next_idx",
        "shop_id",
        "target",
        "priority",
        "seq",
        postgresql_where=text("state IN ('waiting', 'sending')"),
    ),
    Index(
        "documents_begin_idx",
        "shop_id",
        "target",
        "parent",
        postgresql_ops={"parent": "text_pattern_ops"},
        postgresql_where=_OF_ORDERS,
    ),
)

#: Which object at a target is which entity, and the hash of what was last delivered. `created_keys`: parts that
#: were created under it; `attempt…`: the request to create it whose answer is not known; `metadata` is for people,
#: nothing is decided by it. Goes with the shop.
links = Table(
    "links",
    metadata,
    _shop(),
    Column("target", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("parent", Text),
    Column("remote_id", Text),
    Column("state", Text, nullable=False, server_default="delivered"),
    Column("hash", LargeBinary),
    Column("sent", LargeBinary),
    Column("created_keys", JSONB, nullable=False, server_default=text("'[]'::jsonb")),
    Column("remote_status", Text),
    _at("remote_updated_at"),
    Column("closed", Boolean, nullable=False, server_default=text("false")),
    _at("attempted_at"),
    Column("attempt_newer_than", BigInteger),
    Column("attempt_mark", Text),
    Column("attempt_trace", JSONB(none_as_null=True)),
    Column("metadata", JSONB, nullable=False, server_default=_EMPTY),
    _at("erased_at"),
    _at("updated_at", nullable=False, now=True),
    # The operators of patterns, so that the beginning of an order number is enough in every locale of a database.
    Index(
        "links_parent_idx", "shop_id", "target", "kind", "parent", postgresql_ops={"parent": "text_pattern_ops"}
    ),
    Index("links_updated_at_idx", "shop_id", "target", "kind", "updated_at"),
    # What an order is called at a target, by its id there and by its number. Only of orders that have one, or
    # Postgres may read all orders of a shop through them.
    Index(
        "links_remote_id_idx",
        *("shop_id", "remote_id"),
        postgresql_where=text("kind = 'order' AND remote_id IS NOT NULL"),
    ),
    Index(
        "links_order_number_idx",
        *("shop_id", text("(metadata ->> 'order_number')")),
        postgresql_where=text("kind = 'order' AND (metadata ->> 'order_number') IS NOT NULL"),
    ),
    Index("links_erased_idx", "shop_id", "kind", "key", postgresql_where=text("erased_at IS NOT NULL")),
)

#: How far something was read, and what else is remembered of a system by name (`store/cursors.py`). Goes with the
#: shop.
cursors = Table(
    "cursors",
    metadata,
    _shop(),
    Column("system", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

#: A run through a whole list: the first import or the safety net. Finished runs are pruned after 90 days.
runs = Table(
    "runs",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    _shop(primary_key=False),
    Column("kind", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("state", Text, nullable=False),
    _at("since"),
    Column("total", Integer),
    Column("pages", Integer),
    Column("done", Integer, nullable=False, server_default="0"),
    Column("found", Integer, nullable=False, server_default="0"),
    Column("walk", JSONB(none_as_null=True)),
    Column("complete", Boolean, nullable=False, server_default=text("true")),
    _at("started_at", nullable=False, now=True),
    _at("finished_at", kept=Kept(days=90, state="done")),
    Index("runs_shop_id_kind_purpose_idx", "shop_id", "kind", "purpose", "id"),
)

#: A lane of work that has to wait: no budget, no answer, refused. A row goes when the lane works again.
lanes = Table(
    "lanes",
    metadata,
    _shop(),
    Column("direction", Text, primary_key=True),
    Column("system", Text, primary_key=True),
    Column("reason", Text, nullable=False),
    Column("failures", SmallInteger, nullable=False, server_default="1"),
    Column("priority", SmallInteger, nullable=False, server_default="0"),
    Column("asked", Boolean, nullable=False, server_default=text("false")),
    Column("logins", Boolean, nullable=False, server_default=text("false")),
    _at("since", nullable=False, now=True),
    _at("until", nullable=False, kept=Kept(days=7)),
)

#: Until when what a source announces is gathered, per purpose. While there is no row, or it is over, the next
#: announcement is read at once.
gatherings = Table(
    "gatherings",
    metadata,
    _shop(),
    Column("source", Text, primary_key=True),
    Column("priority", SmallInteger, primary_key=True),
    _at("until", nullable=False),
)

#: The shop's catalogue as last read, one row per sellable variant. Rows go with their variant. *match* and
#: *sku_id* say what it is in Uphance (`store/sku_matching.py`), *title_folded* is what a search looks in, and
#: *title_sorted* what lists are sorted by.
variants = Table(
    "variants",
    metadata,
    _shop(),
    Column("key", Text, primary_key=True),
    Column("product_id", BigInteger, nullable=False),
    Column("code", Text),
    Column("ean", Text),
    Column("title", Text),
    Column("stock", Numeric),
    Column("stock_own", Boolean, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("listed", Boolean, nullable=False),
    Column("priced", Boolean),
    Column("title_folded", Text, Computed(f"translate(lower(title), '{ACCENTED}', '{PLAIN}')", persisted=True)),
    Column("title_sorted", Text(collation="C"), Computed(_SORTED, persisted=True)),
    Column("match", Text, nullable=False, server_default="unmatched"),
    Column("sku_id", BigInteger),
    _key_of("code"),
    _key_of("ean"),
    _at("read_at", nullable=False, now=True),
    Index("variants_shop_id_product_id_idx", "shop_id", "product_id"),
    Index("variants_shop_id_code_key_idx", "shop_id", "code_key"),
    Index("variants_shop_id_ean_key_idx", "shop_id", "ean_key"),
    # With the text that a search looks in, so that it reads this index and no variant.
    Index(
        "variants_match_idx",
        *("shop_id", "match", "title_sorted", "code", "key"),
        postgresql_include=["title_folded"],
    ),
)

#: What variants were called that have left the shop: orders that are read later may still name them. A variant
#: that comes back has a row of its own again, which goes before this one.
former_variants = Table(
    "former_variants",
    metadata,
    _shop(),
    Column("key", Text, primary_key=True),
    Column("code", Text),
    Column("ean", Text),
    _at("gone_at", nullable=False, kept=Kept(days=90)),
)

#: Variants that a person has paired with a SKU, each with one of its own: it goes before what codes and EANs say,
#: for as long as there is that SKU. A row goes when the person takes it back, or with its shop.
pairings = Table(
    "pairings",
    metadata,
    _shop(),
    Column("key", Text, primary_key=True),
    Column("sku_id", BigInteger, nullable=False),
    _at("paired_at", nullable=False),
    UniqueConstraint("shop_id", "sku_id", name="pairings_shop_id_sku_id_key"),
)

#: The SKUs of the connected Uphance organisation as last read. Replaced by each complete read.
skus = Table(
    "skus",
    metadata,
    _shop(),
    Column("sku_id", BigInteger, primary_key=True),
    Column("product_id", BigInteger, nullable=False),
    Column("variation_id", BigInteger),
    Column("season_id", BigInteger),
    Column("sku_number", Text),
    Column("ean", Text),
    Column("name", Text),
    Column("in_stock", Integer),
    Column("available", Integer),
    Column("available_from_stock", Integer),
    _key_of("sku_number", "code_key"),
    _key_of("ean"),
    _at("read_at", nullable=False, now=True),
    Index("skus_shop_id_code_key_idx", "shop_id", "code_key"),
    Index("skus_shop_id_ean_key_idx", "shop_id", "ean_key"),
)

#: What was ordered in the shop and Uphance may not know of, a row per line. *pending*: the order may still be
#: sent. Rows go when Uphance knows the order (each stock read), and 90 days after it was made.
open_order_lines = Table(
    "open_order_lines",
    metadata,
    _shop(),
    Column("order_number", Text, primary_key=True),
    Column("position", SmallInteger, primary_key=True),
    Column("variant_key", Text),
    Column("code", Text),
    Column("quantity", Numeric, nullable=False),
    Column("pending", Boolean, nullable=False),
    _at("ordered_at", nullable=False, kept=Kept(days=90)),
)

#: Every order that was read, also one that no system wants. *outline* is what a page shows of it, without its
#: customer, *kept_back* the verdict of the shop's rules for each system that is not sent it. A row goes with its
#: order, or after 90 days.
orders = Table(
    "orders",
    metadata,
    _shop(),
    Column("number", Text, primary_key=True),
    _at("ordered_at", nullable=False, kept=Kept(days=90)),
    _at("read_at", nullable=False),
    Column("outline", JSONB(none_as_null=True)),
    Column("kept_back", JSONB, nullable=False, server_default=_EMPTY),
    Index("orders_shop_id_ordered_at_idx", "shop_id", "ordered_at"),
    Index("orders_ordered_at_idx", "ordered_at"),
    Index("orders_begin_idx", "shop_id", "number", postgresql_ops={"number": "text_pattern_ops"}),
)

#: Who is who among orders, which are known by their numbers: *uuid* is the order that the targets were given under
#: a number, *bearer* the one that has it in the shop now (NULL: none). Pruned 90 days after it was read last.
order_identities = Table(
    "order_identities",
    metadata,
    _shop(),
    Column("number", Text, primary_key=True),
    Column("uuid", Text, nullable=False),
    Column("bearer", Text),
    _at("seen_at", nullable=False, kept=Kept(days=90)),
    Index("order_identities_uuid_idx", "shop_id", "uuid"),
    Index("order_identities_bearer_idx", "shop_id", "bearer"),
)

#: What happened to orders on their way, without personal data. Pruned after 90 days.
order_events = Table(
    "order_events",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    _shop(primary_key=False),
    Column("order_number", Text, nullable=False),
    _at("at", nullable=False, kept=Kept(days=90)),
    Column("event", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("detail", Text, nullable=False, server_default=""),
    _at("since"),
    Column("body", LargeBinary),
    Index("order_events_shop_id_order_number_idx", "shop_id", "order_number"),
    Index("order_events_shop_id_at_idx", "shop_id", "at"),
    Index("order_events_at_idx", "at"),
)

#: What a day that is over came to (`insights/daily_stats.py`), so that it is added up once. Pruned after 90 days.
daily_stats = Table(
    "daily_stats",
    metadata,
    _shop(),
    Column("metric", Text, primary_key=True),
    Column("system", Text, primary_key=True),
    Column("day_at", DateTime(timezone=True), primary_key=True, info={"kept": Kept(days=90)}),
    Column("count", Integer, nullable=False),
    Column("median", Double),
    Column("p95", Double),
    Index("daily_stats_day_at_idx", "day_at"),
)

#: Who did what to a shop and when: settings, connections, problems, guards, states, stock by run. `old` and `new`
#: as a person would type them. Pruned after 400 days.
history = Table(
    "history",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    _shop(primary_key=False),
    _at("at", nullable=False, kept=Kept(days=400)),
    Column("way", Text, nullable=False),
    Column("what", Text, nullable=False),
    Column("subject", Text, nullable=False, server_default=""),
    Column("old", Text),
    Column("new", Text),
    Column("details", JSONB, nullable=False, server_default=_EMPTY),
    Index("history_shop_id_id_idx", "shop_id", "id"),
    Index("history_at_idx", "at"),
    Index("history_stock_run_idx", "shop_id", "subject", unique=True, postgresql_where=text("what = 'stock'")),
)

#: The numbers that a stock run has written into the shop, and what the shop showed before. Pruned after 90 days.
stock_writes = Table(
    "stock_writes",
    metadata,
    _shop(),
    Column("run_at", DateTime(timezone=True), primary_key=True, info={"kept": Kept(days=90)}),
    Column("key", Text, primary_key=True),
    Column("code", Text, nullable=False),
    Column("old", Numeric),
    Column("new", Numeric, nullable=False),
    Index("stock_writes_run_at_idx", "run_at"),
)

# --- mail ---------------------------------------------------------------------------------------------------

#: What a mail has reported or will: a row per cause, for the shop's own people or, without a shop, for the
#: operator. *reader*: a digest of the address. A row goes when it is over; where no process looks for the cause
#: any more (its machine is gone), in a week.
notices = Table(
    "notices",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    _shop(primary_key=False),
    Column("cause", Text, nullable=False),
    Column("about", Text, nullable=False),
    Column("reader", LargeBinary, nullable=False),
    _at("began_at", nullable=False),
    _at("seen_at", nullable=False, kept=Kept(days=7)),
    _at("told_at"),
    _at("gone_at"),
    Index("notices_once_idx", "shop_id", "cause", unique=True, postgresql_nulls_not_distinct=True),
)

#: Mails, sealed until the mail server has them or refuses them for good. Pruned after 30 days.
letters = Table(
    "letters",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    _shop(primary_key=False),
    Column("once", Text, nullable=False),
    _encrypted("sealed"),
    _at("made_at", nullable=False, kept=Kept(days=30)),
    _at("due_at", nullable=False),
    Column("attempts", SmallInteger, nullable=False, server_default="0"),
    _at("ended_at"),
    Column("reason", Text),
    Index("letters_once_idx", "once", unique=True),
    Index("letters_made_at_idx", "made_at"),
    Index("letters_due_at_idx", "due_at", postgresql_where=text("sealed IS NOT NULL")),
)

# --- budget -------------------------------------------------------------------------------------------------

#: What a shop's API still allows: one row per shop, written before each call. `hour_used` and `day_used` are what
#: the server said last, `calls_unconfirmed` our own calls that no answer of its has counted yet. `calls_made`
#: numbers the calls, `calls_made_at_header` is that number when rate-limit headers were last believed,
#: `calls_lost` counts calls without an answer.
budgets = Table(
    "budgets",
    metadata,
    _shop(),
    Column("hour_limit", Integer),
    Column("day_limit", Integer),
    _at("hour_at", nullable=False),
    Column("hour_used", Integer, nullable=False, server_default="0"),
    _at("day_at", nullable=False),
    Column("day_used", Integer, nullable=False, server_default="0"),
    Column("calls_unconfirmed", Integer, nullable=False, server_default="0"),
    Column("calls_today", Integer, nullable=False, server_default="0"),
    Column("calls_made", BigInteger, nullable=False, server_default="0"),
    Column("calls_made_at_header", BigInteger, nullable=False, server_default="0"),
    Column("calls_lost", BigInteger, nullable=False, server_default="0"),
    _at("closed_until"),
    _at("learned_at"),
    _at("succeeded_at"),
)

#: Calls in flight. A lease of a dead process expires. Of the shops whose login is not proved, one calls at a time.
call_leases = Table(
    "call_leases",
    metadata,
    _shop(),
    Column("slot", SmallInteger, primary_key=True),
    Column("holder", Uuid, nullable=False),
    Column("first", Boolean, nullable=False, server_default=text("false")),
    _at("expires_at", nullable=False, kept=Kept(days=1)),
)

#: Calls made, per hour, access and purpose: for gauge, forecast and declaration. Pruned after 35 days.
api_calls = Table(
    "api_calls",
    metadata,
    _shop(),
    Column("hour", DateTime(timezone=True), primary_key=True, info={"kept": Kept(days=35)}),
    Column("access", Text, primary_key=True),
    Column("purpose", Text, primary_key=True),
    Column("count", Integer, nullable=False, server_default="0"),
)

#: Failed logins over all shops: Upgates locks our address at five in an hour (R56), also when the shop is erased
#: meanwhile. Pruned after a day.
failed_logins = Table(
    "failed_logins",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("shop_id", Uuid, ForeignKey("shops.id", ondelete="SET NULL")),
    _at("at", nullable=False, now=True, kept=Kept(days=1)),
    _at("begun_at"),
    Index("failed_logins_at_idx", "at"),
)

# --- telemetry ----------------------------------------------------------------------------------------------

#: The counters of each process, so that one scrape sees them all. Rows of ended processes become one row.
metric_samples = Table(
    "metric_samples",
    metadata,
    Column("process", Uuid, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("labels", Text, primary_key=True),
    Column("value", Double, nullable=False),
    _at("at", nullable=False, now=True),
)

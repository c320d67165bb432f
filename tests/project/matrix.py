"""docs/edit-matrix.md: what Upbridge does in every situation of orders, goods and connections, with proof.

`python -m tests.project.matrix` writes the page. A test proves a row by carrying the marker `situation` with the
row's name (`edit.draft`) on itself, its class or its module. There is no row without a proof.
"""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tests.project.documents import TOP
from tests.project.review import Proof, proofs
from upbridge.systems.registry import SYSTEMS

PAGE = TOP / "docs/edit-matrix.md"
MARKER = "situation"


@dataclass(frozen=True, slots=True)
class Row:
    """One situation at one moment; *settings* are the ones that change what is done."""

    situation: str
    moment: str
    does: str
    settings: tuple[str, ...] = ()


_BEFORE, _DRAFT, _ANY = "before it was sent", "sent, still a draft", "whenever"

#: Section by section, in the order of the page.
SECTIONS: Mapping[str, Mapping[str, Row]] = {
    "An order changes in the shop": {
        "edit.before": Row("order edited", _BEFORE, "the newest state is sent, once"),
        "edit.draft": Row(
            "order edited",
            _DRAFT,
            "nothing in Uphance is touched; a task for staff says line by line what differs. Pieces that were"
            " added count as open",
        ),
        "edit.packed": Row("order edited", "confirmed, a pick ticket exists, or shipped", "the same task"),
        "edit.address": Row(
            "address edited", "sent", "the same task; it says that the address differs, not which"
        ),
        "edit.reverted": Row("order is again as it was sent", "sent", "the task is withdrawn"),
        "edit.doubt": Row(
            "order edited", "the answer to its creation was lost", "it is looked for first; if it is there, a task"
        ),
        "address.empty": Row(
            "a delivery address is announced and empty", _ANY, "the goods go to the billing address"
        ),
        "field.unread": Row(
            "a field cannot be read, or a line has a type that Upbridge does not know",
            _ANY,
            "the system that needs it is sent nothing new and keeps what it has, with a problem that names the"
            " field; the other one goes on",
        ),
        "untidy.same": Row(
            "PHP writes a value otherwise: a zero date, a list with gaps, one object instead of a list or a list "
            "of one, a number as text, a code or name with blanks, other accents or capitals",
            _ANY,
            "it is what it means, and both systems are sent the same as ever",
        ),
        "untidy.none": Row(
            "a zero, a dash or a word stands where there is none: an account, an e-mail, an EAN, an address",
            _ANY,
            "it counts as none: shoppers without an account are never one customer, and goods without an EAN "
            "never one another",
        ),
        "untidy.number": Row(
            "a number that may mean two things: `121,00`, `1 234,50`, `2 ks`, a price below zero",
            _ANY,
            "nothing is guessed: what would be wrong stays as it is, and a problem names the field",
        ),
        "field.unstorable": Row(
            "a value that no table takes, a code of thousands of characters for instance",
            _ANY,
            "a problem names the order or product; the rest of its batch goes on",
        ),
        "status.only": Row("status, payment or tracking code set", "sent", "nothing: none of it goes to Uphance"),
        "status.not_yet": Row(
            "status that does not send yet",
            _BEFORE,
            "it waits; its pieces count as open. It goes with the first status that sends",
            ("uphance.order_statuses",),
        ),
        "look.order": Row(
            "an order is missing from an answer, and no deletion was announced",
            _ANY,
            "nothing until a second look, two minutes later, agrees; one that was announced and never seen is"
            " asked for again for an hour",
        ),
        "cancel.before": Row("order cancelled", _BEFORE, "it is not sent; its pieces are open no more"),
        "cancel.after": Row(
            "order cancelled",
            "sent",
            "a task: cancel it in Uphance (no way to do so by API is known); its open pieces are released",
        ),
        "cancel.doubt": Row(
            "order cancelled",
            "the answer to its creation was lost",
            "it is looked for first; if it is there, the task",
        ),
        "delete.before": Row("order deleted", _BEFORE, "it is not sent"),
        "delete.after": Row("order deleted", "sent", "the task of a cancelled order; it is never created again"),
        "delete.silent": Row(
            "order deleted, and no webhook tells",
            _ANY,
            "found once a day in the shop's list of deleted orders, where its API has one; orders that are not"
            " through yet are asked about in any case",
        ),
        "restore.silent": Row(
            "deleted order restored, and no webhook tells",
            _ANY,
            "found within a day: orders that are gone and that the list of deleted ones lacks are asked for by"
            " number; the last hundred where the API has no such list",
        ),
        "number.reused": Row(
            "an order is deleted, and another one gets its number",
            "sent",
            "two tasks: cancel the former in Uphance, and enter the other one by hand; none is made or changed by"
            " itself, and nothing that is shipped is written to the wrong one. Before it was sent, the other one"
            " is sent. Upp.ai, which has one order under each number, gets the other one, and a remark says so",
        ),
        "number.changed": Row(
            "an order gets another number",
            "sent",
            "its uuid says that it is the same order: none is made under the new number, a problem names both,"
            " shipments are written to it, and what changes later is a task under the number that Uphance has."
            " Before it was sent, it is sent under the new one",
        ),
        "restore.before": Row("deleted order restored", _BEFORE, "it is sent"),
        "restore.after": Row(
            "deleted order restored",
            "sent",
            "the task is withdrawn; if staff have dealt with it already, a task that says that the order is back",
        ),
        "return": Row(
            "goods come back, a credit note is written",
            "shipped",
            "nothing by itself: staff book it in Uphance, and the stock follows",
            ("stock.write",),
        ),
    },
    "An order that has to wait": {
        "old": Row("placed before the connection", _ANY, "never sent", ("uphance.orders_from",)),
        "origin": Row("of an origin that is left out", _ANY, "never sent", ("uphance.origins",)),
        "off": Row(
            "orders are switched off", _BEFORE, "what waits is dropped, nothing is asked", ("uphance.send_orders",)
        ),
        "currency": Row(
            "currency or language without a clear channel",
            _BEFORE,
            "held, no call is made, nothing is converted or guessed; goes by itself when a channel is chosen, or"
            " when Uphance has a new one",
            ("uphance.channels",),
        ),
        "season": Row("goods without a season", _BEFORE, "held; goes when one is chosen", ("uphance.season",)),
        "seasons": Row("goods of several seasons", _BEFORE, "the season of the first goods", ("uphance.season",)),
        "customer": Row(
            "no name and no e-mail", _BEFORE, "held; goes when one is added", ("uphance.customer_mode",)
        ),
        "address.other": Row(
            "another address than the customer's record has",
            _BEFORE,
            "the order carries its own in the shipping instructions; the record is never changed",
            ("uphance.customer_mode",),
        ),
        "sku.unknown": Row(
            "goods that Uphance does not have",
            _BEFORE,
            "the whole order is held, never a part sent; goes by itself when the next reading of the catalogue"
            " shows them",
            ("uphance.create_products",),
        ),
        "sku.renamed": Row(
            "goods get another code after the sale",
            _ANY,
            "they are what their variant is called by now, in both systems; else what they were called then",
        ),
        "sku.handed_on": Row(
            "goods get another code after the sale, and other goods get theirs",
            _BEFORE,
            "the former code does not name them any more: held under what they are called by now, where Uphance"
            " lacks that",
        ),
        "sku.gone": Row(
            "goods of a product that was deleted in the shop before the order was read",
            _BEFORE,
            "they are what their variant was called when it was read last, for 90 days",
        ),
        "sku.not_read": Row(
            "goods of a product that was not on sale when the shop was read",
            _BEFORE,
            "the product is read, in one call, and the order goes; held only if they are still unknown",
        ),
        "sku.ambiguous": Row("a code or EAN that Uphance has twice", _BEFORE, "held; goes when one is left"),
        "sku.inherited": Row("only an EAN that the variant inherits", _BEFORE, "no match: held"),
        "line.manual": Row(
            "line typed in by hand",
            _BEFORE,
            "held; a line that is named a service goes with shipping instead",
            ("uphance.services",),
        ),
        "line.quantity": Row("half a piece, none, or less than none", _BEFORE, "held"),
        "line.twice": Row("the same goods in two lines", _BEFORE, "stay two lines"),
        "line.set": Row("a set", _BEFORE, "its parts are sent, at the price of the set to the last hundredth"),
        "line.gift": Row("a gift", _BEFORE, "sent for nothing: the goods leave"),
        "no_goods": Row("services only", _BEFORE, "held: there is nothing to ship"),
        "totals": Row("sums that do not agree", _BEFORE, "held with the arithmetic, never sent wrong"),
        "tax": Row(
            "Uphance taxes it otherwise than the shop",
            "when it is created, or found after its answer was lost",
            "it is delivered; totals that differ by more than 0.05 are a problem, until a person closes it",
        ),
        "refused": Row("Uphance refuses it", _BEFORE, "held with its words; sent again on demand"),
    },
    "Goods": {
        "product.match": Row("product in both", _ANY, "matched by code, then by own EAN; nothing is written"),
        "product.missing": Row(
            "product missing in Uphance",
            _ANY,
            "the match report names it; made with colour and size where the shop chose so",
            ("uphance.create_products", "uphance.color_parameter", "uphance.size_parameter"),
        ),
        "product.variant": Row(
            "variant added to a product",
            _ANY,
            "added in Uphance, nothing else touched",
            ("uphance.create_products",),
        ),
        "product.twice": Row(
            "the answer to its creation was lost", _ANY, "it is looked for first, and never made twice"
        ),
        "product.unfit": Row(
            "variants without a name, colour and size of their own", _ANY, "held", ("uphance.color_parameter",)
        ),
        "product.deleted": Row("product deleted in the shop", _ANY, "stays in Uphance; Upp.ai gets stock 0, once"),
        "look.gone": Row(
            "a product, a variant, all pieces or all prices are missing from an answer, and no deletion was"
            " announced",
            _ANY,
            "nothing is taken away until a second look, two minutes later, agrees; what else changed goes at once",
        ),
        "look.told": Row(
            "a deletion is announced",
            _ANY,
            "the first look that agrees is believed; a thing that still stands in the answer is looked at again",
        ),
        "product.price": Row("product loses its price", _ANY, "Upp.ai gets stock 0; a problem names it"),
        "product.case": Row(
            "codes that differ in case only, in one product or in several",
            _ANY,
            "the oldest variant goes to Upp.ai, a problem names the rest; they go by themselves when codes change",
            ("upp.sku_from",),
        ),
        "upp.canceled": Row("order cancelled", "sent to Upp.ai", "stays there: no way to take one back is known"),
    },
    "Back to the shop": {
        "ship.all": Row(
            "all of the order is shipped",
            _ANY,
            "status and tracking, a note in the history",
            ("shipments.write", "shipments.status"),
        ),
        "ship.part": Row("a part is shipped", _ANY, "a note for each ticket; no other status"),
        "ship.number": Row("the tracking number comes later", "shipped", "the tracking code, no second note"),
        "ship.deleted": Row("a pick ticket is deleted", "written to the shop", "nothing is taken back; a problem"),
        "ship.canceled": Row("shipped", "cancelled in the shop meanwhile", "left alone; a problem"),
        "ship.mail": Row(
            "shipped", _ANY, "shoppers get a mail only where the shop chose so", ("shipments.notify",)
        ),
        "ship.wholesale": Row("orders that are not ours", _ANY, "passed over in silence"),
        "draft.deleted": Row("staff delete our order in Uphance", "sent", "asked for no more, never made again"),
        "back.stumbles": Row(
            "the shop fails on one order or one number that is written, and answers otherwise",
            _ANY,
            "what stands beside it is written with the next try; it is tried again alone and last, and a problem"
            " names it in the end",
        ),
        "stock.edited": Row("stock edited in the shop", _ANY, "set right at the next look", ("stock.write",)),
        "stock.gone": Row("SKU is not listed any more", _ANY, "the shop's number is left alone"),
        "stock.half": Row("a reading that breaks off", _ANY, "changes nothing"),
        "stock.mass": Row(
            "a run that changes much of the catalogue", _ANY, "waits for a person", ("stock.guard_percent",)
        ),
        "stock.several": Row(
            "a shop with several warehouses",
            _ANY,
            "nothing is written before a person agrees, once: the main stock would be overwritten",
            ("stock.write",),
        ),
        "stock.draft": Row(
            "drafts", _ANY, "their pieces are open until staff confirm them", ("stock.drafts_reserve",)
        ),
    },
    "What an answer means right after a webhook": {
        "after.created": Row(
            "a product or order was created, and it is not there yet",
            "Orders.create, Products.create",
            "it is asked for again after 1, 5, 15 and 60 minutes, then given up: one that comes later has changed"
            " since the last safety net, which the next one reads",
        ),
        "after.updated": Row(
            "one that is known is missing",
            "Orders.update, Products.update",
            "it stays as it is, here and at the targets, until a second look, two minutes later, agrees. Two looks"
            " within these minutes are one, and one that fails is none",
        ),
        "after.old": Row(
            "one came as it was before, known to us or not, and nothing is missing",
            "Orders.update, Products.update",
            "what came is delivered; if it says that it changed last more than a minute before the newest webhook"
            " came, it is asked for once more, two minutes later. What is older still then, a minute younger, or"
            " one of more than ten that an answer has of these, is found by the next safety net",
        ),
        "after.part": Row(
            "a product came with a part: without some or all of its variants",
            "Products.update",
            "the variants that are missing stay until a second look agrees; a product without any is not taken for"
            " one that never had some. Where other variants have their codes, these follow at once",
        ),
        "after.less": Row(
            "a product came with stock 0 or without a price",
            "Products.update",
            "stock and price stay until a second look agrees; what else changed goes at once. What the shop itself"
            " switches off goes at once",
        ),
        "after.deleted": Row(
            "one that was deleted is missing",
            "Orders.delete, Products.delete, of variants too",
            "believed at the first look: webhook and answer agree",
        ),
        "after.deleted_there": Row(
            "one that was deleted is still there",
            "Orders.delete, Products.delete",
            "it is looked at again for two minutes, and left alone if it stays",
        ),
        "after.facts": Row(
            "a list of the shop's facts came empty, or with fewer rows",
            "price lists, languages, statuses and other lists",
            "what is missing means what it meant until a second look, two minutes later, agrees",
        ),
        "after.uphance": Row(
            "a sales order, pick ticket or product of Uphance is said to be gone (404)",
            "a webhook of Uphance, or a poll",
            "believed if its list can be read where it stood and lacks it; else it stays, and is named as one that"
            " cannot be read",
        ),
    },
    "A list is read": {
        "list.order_moves": Row(
            "an order changes its place in the list, or one goes while another comes",
            "between two pages",
            "every order is read that was there before and after: the next page begins at the newest second seen",
        ),
        "list.product_moves": Row(
            "a product goes while another comes",
            "between two pages",
            "every product is read that was there before and after: pages overlap, or are looked at twice",
        ),
        "list.shrinks": Row(
            "the list shrinks, and the page that was to come is not there any more (404)",
            "between two pages",
            "no fault: it is asked for again, what is left is read, and nothing is named as unreadable",
        ),
        "list.page": Row(
            "a page cannot be read (500, no answer, gone, no JSON, refused)",
            _ANY,
            "it is read in smaller pieces and by id; the run ends, the next safety net comes on time and reaches"
            " back as far",
        ),
        "list.entity": Row(
            "an order or product that no page can show",
            _ANY,
            "the products before and behind it are read, and the orders of all other seconds; one problem names"
            " it, until a walk passes",
        ),
        "list.uphance": Row(
            "a product that Uphance cannot give",
            _ANY,
            "the others are read; one problem names it, and its stock stays as it was read last",
        ),
        "list.new_order": Row(
            "a new order or a safety net, while a page, the facts of the shop or something else that was announced"
            " cannot be read",
            _ANY,
            "it is not kept waiting: where the shop answers otherwise, what fails by itself waits by itself",
        ),
        "list.stuck": Row(
            "a safety net does not come to its end",
            "the next one is due",
            "it is given up, and the next one starts",
        ),
    },
    "The shop changes what the mapping goes by": {
        "facts.pricelist": Row(
            "another price list becomes the default",
            _ANY,
            "every product is read and mapped again, after all that is more urgent; Upp.ai gets what differs",
            ("upp.pricelist",),
        ),
        "facts.language": Row(
            "another language becomes the default",
            _ANY,
            "the same: no target is left with two languages or currencies",
            ("upp.language",),
        ),
        "facts.switch": Row(
            "prices with or without VAT, ordering at stock 0",
            _ANY,
            "the same; no webhook tells of it, so within a day",
        ),
        "facts.again": Row(
            "a second change while the first is carried out", _ANY, "it begins anew with the newest"
        ),
        "facts.status_type": Row(
            "a status becomes another type",
            _ANY,
            "the orders that each target may be sent are read and judged again",
        ),
        "facts.status_unknown": Row(
            "an order in a status that is not known",
            _ANY,
            "the list of statuses is read once, then it is decided; an order whose status the list lacks is held"
            " for each system and goes when it is listed",
        ),
        "facts.renamed": Row(
            "a price list is renamed",
            _ANY,
            "a rule that names it follows; the lists are read before a product with the new name is mapped",
        ),
        "facts.list_gone": Row(
            "the price list or language of Upp.ai is gone",
            _ANY,
            "Upp.ai keeps what it has; problems name it until another one is chosen",
            ("upp.pricelist", "upp.language"),
        ),
        "facts.shorter": Row(
            "a price list, language or status is missing from its list, and nothing but that answer says so",
            _ANY,
            "nothing until a second look, two minutes later, agrees",
        ),
        "facts.unread": Row(
            "a list of the shop's facts cannot be read",
            _ANY,
            "what was known of it stays, and a problem names it. In a shop where it was never read, products wait"
            " for languages, price lists and VAT settings, and an order for a person, if its status is unknown;"
            " all else goes on",
        ),
        "facts.guard": Row(
            "a change that would take more of what is on sale off Upp.ai than the rule says (30 %)",
            _ANY,
            "nothing goes off sale until the catalogue is mapped; then a person decides. Fewer are let go",
            ("upp.guard_percent", "upp.pricelist", "upp.language", "upp.sku_from"),
        ),
        "facts.status_new": Row(
            "a new status in a shop that chose which ones send, or a second one of shipped orders",
            _ANY,
            "a problem asks about it before an order is in it",
            ("uphance.order_statuses", "shipments.status"),
        ),
        "facts.choice_new": Row(
            "a new way to deliver or to pay, where a rule names the others",
            _ANY,
            "a problem that names it and the rule, before an order has it; it closes when the rule has a row for"
            " it or the shop offers it no more. Orders that have it go, with the shop's own name",
            ("uphance.carriers", "uphance.payment_terms"),
        ),
        "facts.status_gone": Row(
            "a status leaves the list", _ANY, "for orders that are in it it means what it meant"
        ),
    },
    "The shop cannot be read, or knows more than we do": {
        "shop.silent": Row(
            "the shop answers with errors, or not at all",
            _ANY,
            "its flows need attention at once, and count as stopped after a quarter of an hour; one that says "
            "later, or has no calls left, is said to be waiting until then",
        ),
        "right.denied": Row(
            "a right that a connected system needs is taken away",
            _ANY,
            "a problem and a red light from that moment on; both go by themselves when it is given back, and what"
            " was missed is read",
        ),
        "webhooks.inactive": Row(
            "webhooks are inactive and may not be activated",
            _ANY,
            "a problem and a light that asks for attention until they may; the safety net still finds the changes",
        ),
        "count.differs": Row(
            "the shop counts more orders of 30 days than are known",
            _ANY,
            "looked at twice, then their list is read; the difference is shown until a later count agrees",
        ),
        "count.unanswered": Row(
            "the shop does not answer how many it has",
            _ANY,
            "asked three times, then with the next check; until it answers, lights and the first page say so",
        ),
        "count.gone": Row(
            "the shop counts fewer orders of 30 days than are known",
            _ANY,
            "looked at twice, then their list is read, and those that it lacks are asked for one by one",
        ),
    },
    "Connections": {
        "down": Row(
            "Uphance is down for hours",
            _ANY,
            "everything waits, tried again at growing intervals; webhooks are answered all the while",
        ),
        "lost": Row(
            "an answer is lost, a worker dies",
            "creating an order",
            "it is looked for before it is sent again: never two",
        ),
        "token": Row(
            "token expired or revoked", _ANY, "renewed, the call repeated once; else the connection stops"
        ),
        "refused.login": Row(
            "the login is refused, connected again later", _ANY, "what happened meanwhile has waited, and is sent"
        ),
        "organisation": Row(
            "the login means another company", _ANY, "the connection stops before anything is written; a problem"
        ),
        "two.shops": Row(
            "several shops, one organisation",
            _ANY,
            "every reference carries the shop; none touches another's orders",
        ),
        "two.tenants": Row(
            "several shops, one Upp.ai client", _ANY, "the second one's ids begin with its key, for ever"
        ),
        "again": Row("connected again", _ANY, "orders that are there are recognised, not sent again"),
        "restored": Row(
            "the database was put back to an earlier state",
            _ANY,
            "what is newest at Uphance is looked at before anything is created: what is there is recognised",
        ),
        "restored.back": Row(
            "the database was put back, and the shop has again what it had then, after another state in between",
            _ANY,
            "what has changed since is sent to Upp.ai again, also where it looks as if it had been",
        ),
        "restored.number": Row(
            "the database was put back, and an order that was sent since has another number by now, or another"
            " order has its number",
            _ANY,
            "what is at Uphance says itself of which order it was made: nothing is made under the new number, and"
            " the other order is not taken for it",
        ),
        "restored.beside": Row(
            "a backup is put back beside an installation that runs on: two of them for one shop",
            _ANY,
            "each looks at what is newest at Uphance before it creates, and recognises what the other has made. "
            "Where both create in the same second, nothing can tell: never run two",
        ),
        "restored.unread": Row(
            "the database was put back, and one of the newest orders or customers in Uphance cannot be read",
            _ANY,
            "all others are recognised, and one problem names the row. An order waits only where it may be that"
            " row: it was placed before the row was there, and no worker saw the list without it. It goes when the"
            " row can be read, or when a person says that it is none of ours",
        ),
        "leave": Row("disconnected, add-on deactivated", _ANY, "our own token is revoked, no other; links stay"),
    },
}

ROWS: Mapping[str, Row] = {name: row for rows in SECTIONS.values() for name, row in rows.items()}

_PAGE = """\
# What happens when

What Upbridge does with orders, goods and connections in every situation we know of: {rows} rows, each proved by
the tests named beside it. Uphance publishes no way to change or cancel a sales order, so what has been sent is
never touched from here: staff get a task that says what to do. A task closes by itself when its cause is gone, or
by hand.

This page is made by `python -m tests.project.matrix` from the markers that the tests carry; a test fails if it is
out of date or a row has no proof. Settings are explained in [settings.md](settings.md#settings-of-a-shop), the way
back in [write-back.md](write-back.md).
"""

_SECTION = """
## {heading}

| Situation | When | What Upbridge does | Settings | Proved by |
| --- | --- | --- | --- | --- |
{rows}
"""


def page(found: list[Proof]) -> str:
    """The text of docs/edit-matrix.md."""
    sections = [
        _SECTION.format(heading=heading, rows="\n".join(line(name, row, found) for name, row in rows.items()))
        for heading, rows in SECTIONS.items()
    ]
    return _PAGE.format(rows=len(ROWS)) + "".join(sections)


def line(name: str, row: Row, found: list[Proof]) -> str:
    settings = "<br>".join(f"`{setting}`" for setting in row.settings) or "none"
    proved = "<br>".join(f"`{proof.node}`" for proof in found if name in proof.settings)
    return f"| {row.situation} | {row.moment} | {row.does} | {settings} | {proved} |"


def complaints() -> Iterator[str]:
    """Rows without a proof, marks without a row, settings that do not exist, a page that is out of date."""
    found = proofs(MARKER)
    for name, row in ROWS.items():
        if not any(name in proof.settings for proof in found):
            yield f"{name} ({row.situation}, {row.moment}) has no test"
        yield from (
            f"{name} names {setting}, which is no setting"
            for setting in row.settings
            if setting not in SYSTEMS.settings
        )
    for proof in found:
        yield from (f"{proof.node} proves {name}, which is no row" for name in proof.settings if name not in ROWS)
    if not PAGE.exists() or PAGE.read_text() != page(found):
        yield "docs/edit-matrix.md is out of date: run `python -m tests.project.matrix`"


if __name__ == "__main__":
    PAGE.write_text(page(proofs(MARKER)))
    sys.stdout.write("".join(f"{line}\n" for line in complaints()))

"""docs/review.md: every rule a reviewer at Upgates may check, and what proves it.

`python -m tests.project.review` writes the page. A test proves a rule by carrying `@pytest.mark.rule("R36")`, on
itself, its class or its module. What no code can prove names the place at which a person looks.
"""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.project.documents import TOP, committed

PAGE = TOP / "docs/review.md"
MARKER = "rule"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule in our words; *person*: where a reviewer looks, in Markdown."""

    words: str
    person: str | None = None


@dataclass(frozen=True, slots=True)
class Proof:
    """A test (its pytest node id) and the rules that it proves."""

    node: str
    settings: tuple[str, ...] = field(default=())


RULES: dict[str, Rule] = {
    "R1": Rule(
        "Install, open, uninstall and version exist, over public https",
        "the certificate: `caddy` fetches it ([running.md](running.md#with-docker)); a browser shows it",
    ),
    "R2": Rule("The signature comes first; a call that fails it leaves no trace"),
    "R3": Rule("An activation is signed over token, apiUser, apiKey, apiUrl, time and our token"),
    "R4": Rule("Opening and deactivation are signed over token, time and our token"),
    "R5": Rule("`signature_v2`: base64, SHA-256, PKCS#1 v1.5, the official key; the legacy field never counts"),
    "R6": Rule(
        "The public key is neither shipped nor stored",
        "that it is kept in memory for ten minutes is a choice, argued in `src/upbridge/installation/keys.py`",
    ),
    "R7": Rule("Language and version are unsigned hints and decide nothing about access"),
    "R8": Rule("A signed time has a window, and a signature seen before stops no shop"),
    "R9": Rule("The signature token is configured and never logged"),
    "R10": Rule("API keys are sealed at rest; keys and bodies are never logged"),
    "R11": Rule(
        "An activation is answered within 5 s, also where something hangs; slow work is left to the worker"
    ),
    "R12": Rule('A genuine activation is answered 200 with `{"error", "message"}`'),
    "R13": Rule("Refusals are a sentence in the admin's language"),
    "R14": Rule("Activating again renews the credentials and makes no second shop"),
    "R15": Rule("A shop is its token; the address may move"),
    "R16": Rule("Answers are not encoded in a way that Upgates does not take"),
    "R17": Rule("Opening answers 200 with an https address and its type"),
    "R18": Rule("A known shop can always be opened, in every state"),
    "R19": Rule("Czech, Slovak and English, with a fallback"),
    "R20": Rule("The pages work inside a frame, without cookies and without messages to the admin"),
    "R21": Rule(
        "The pages look as the admin does",
        "open the add-on beside another page of a test shop's admin; styles: `templates/static/pages.css`",
    ),
    "R22": Rule("The page thanks for the activation, shows what to do next and whom to ask"),
    "R23": Rule("Stepwise: every step says Done or Waiting"),
    "R24": Rule("A user from the admin is in the right place at once: the ticket pairs, there is no registration"),
    "R25": Rule("The page shows the right shop and company, and never another's"),
    "R26": Rule("Leaving and coming back works; there is no account of ours to log out of"),
    "R27": Rule("The opening address holds a secret for one use and one minute, and nothing else"),
    "R28": Rule("Deactivating an unknown or inactive shop is harmless and answered"),
    "R29": Rule("After a deactivation nothing is called but the one question whether it is true"),
    "R30": Rule("Webhooks are forgotten with the deactivation and made anew after the next activation"),
    "R31": Rule("A change of version is noted; old and new versions are served side by side"),
    "R32": Rule("After an activation or a change of version rights and webhooks are read again"),
    "R33": Rule(
        "Each version is submitted with what changes for customers",
        "[CHANGELOG.md](../CHANGELOG.md), before a version is submitted",
    ),
    "R34": Rule(
        "A new or dropped access is a change that every customer has to approve",
        "`upbridge accesses` against the form of the last version ([running.md](running.md#before-a-new-version))",
    ),
    "R35": Rule("Webhooks are made through the API, by the add-on's own user"),
    "R36": Rule("The receiver stores, answers 204 within the second, and does nothing else"),
    "R37": Rule("What cannot be stored is answered 503 at once, because a time-out counts as delivered"),
    "R38": Rule("A scheduled comparison by the time of the last change finds what was lost"),
    "R39": Rule("A body may hold 5,000 records"),
    "R40": Rule("Repeats and any order of deliveries come to the same end"),
    "R41": Rule("Every shop and event has a secret address; no header is trusted"),
    "R42": Rule("Names of events and whether they are allowed come from the server; the address says the event"),
    "R43": Rule("Statuses are known by their id"),
    "R44": Rule("Variants that a deletion lists beside the products are handled"),
    "R45": Rule("Webhooks are compared daily: a deactivated one is restored, a failed last call is shown"),
    "R46": Rule(
        "Unconfirmed customers do no harm: customers are neither read nor subscribed to, buyers come with orders"
    ),
    "R47": Rule("What is declared is what is called"),
    "R48": Rule("Webhooks where there is an event; what can be announced is not polled"),
    "R49": Rule("Three calls at once for a shop, over all processes; 429 waits as it says"),
    "R50": Rule("Calls are counted and far below 60,000 a day, with an alarm on the way there"),
    "R51": Rule("Shops have their own minute of the day"),
    "R52": Rule("Owner, languages, price lists and statuses are kept and renewed by webhook"),
    "R53": Rule("Pages of a hundred, ids in one call, at most 100 items a write, only what changed"),
    "R54": Rule("Nothing can be made to synchronise twice at once: a second start joins the first"),
    "R55": Rule("A moved API is followed and remembered, to allowed hosts only"),
    "R56": Rule("401 and 403 pause the shop with one question an hour; never a fifth failed login"),
    "R57": Rule(
        "What Upgates asks to correct is answered",
        "the mailbox behind `UPBRIDGE_SUPPORT_EMAIL` is read every working day ([settings.md](settings.md))",
    ),
}


_PAGE = """\
# What a reviewer can check

The rules of the platform for the Upgates side, in our words, each with the tests that prove it: {proved} of
{rules} rules by {tests} tests. Where no code can prove a thing, or not all of it, the table says what a person
looks at.

One by itself: `make test ARGS=tests/installation/test_endpoints.py`. This page is made by
`python -m tests.project.review` from the markers that the tests carry; a test fails if it is out of date or a rule
has no proof.

| Rule | In short | Proved by |
| --- | --- | --- |
{rows}
"""


def proofs(marker: str = MARKER) -> list[Proof]:
    """Every test that carries the *marker*, in the order of files and lines."""
    return [
        proof
        for path in committed("tests/**/test_*.py")
        for proof in in_source(str(path.relative_to(TOP)), path.read_text(), marker)
    ]


def in_source(name: str, source: str, marker: str = MARKER) -> Iterator[Proof]:
    """The marked tests of one module."""
    tree = ast.parse(source)
    whole = tuple(
        rule
        for node in tree.body
        if isinstance(node, ast.Assign) and any(_named(target, "pytestmark") for target in node.targets)
        for rule in _rules([node.value], marker)
    )
    yield from _in_body(name, tree.body, whole, marker)


def _in_body(prefix: str, body: list[ast.stmt], inherited: tuple[str, ...], marker: str) -> Iterator[Proof]:
    for node in body:
        if isinstance(node, ast.ClassDef) and node.name.startswith("Test"):
            rules = inherited + _rules(node.decorator_list, marker)
            yield from _in_body(f"{prefix}::{node.name}", node.body, rules, marker)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            rules = inherited + _rules(node.decorator_list, marker)
            if rules:
                yield Proof(f"{prefix}::{node.name}", rules)


def _rules(marks: list[ast.expr], marker: str) -> tuple[str, ...]:
    calls = (mark for mark in marks if isinstance(mark, ast.Call) and _named(mark.func, marker))
    return tuple(str(value.value) for call in calls for value in call.args if isinstance(value, ast.Constant))


def _named(node: ast.expr, name: str) -> bool:
    return getattr(node, "attr", getattr(node, "id", None)) == name


def page(found: list[Proof]) -> str:
    """The text of docs/review.md."""
    rows = [f"| {name} | {rule.words} | {'<br>'.join(cell(name, rule, found))} |" for name, rule in RULES.items()]
    proved = sum(any(name in proof.settings for proof in found) for name in RULES)
    return _PAGE.format(proved=proved, rules=len(RULES), tests=len(found), rows="\n".join(rows))


def cell(name: str, rule: Rule, found: list[Proof]) -> list[str]:
    person = [f"A person: {rule.person}"] if rule.person else []
    return [*(f"`{proof.node}`" for proof in found if name in proof.settings), *person]


def complaints() -> Iterator[str]:
    """Rules without a proof, marks without a rule, a page that is out of date."""
    found = proofs()
    for name, rule in RULES.items():
        if rule.person is None and not any(name in proof.settings for proof in found):
            yield f"{name} ({rule.words}) has neither a test nor a place to look at"
    for proof in found:
        yield from (
            f"{proof.node} proves {name}, which is no rule" for name in proof.settings if name not in RULES
        )
    if not PAGE.exists() or PAGE.read_text() != page(found):
        yield "docs/review.md is out of date: run `python -m tests.project.review`"


if __name__ == "__main__":
    PAGE.write_text(page(proofs()))
    sys.stdout.write("".join(f"{line}\n" for line in complaints()))

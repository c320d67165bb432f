"""The words that are gone are found where they come back, and the glossary has one line for each word."""

import re

from tests.project import words
from tests.project.documents import TOP
from upbridge.store.schema import metadata

GLOSSARY = (TOP / "docs/glossary.md").read_text()

#: Tables whose names mean what they mean everywhere.
EVERYDAY = {
    "api_calls",
    "call_leases",
    "compatibility",
    "daily_stats",
    "deliveries",
    "failed_logins",
    "metric_samples",
    "secrets",
    "signatures",
}


def test_a_gone_name_is_found_as_a_part_of_a_name() -> None:
    assert words.gone_in("take_a_bite") == ["bite"]
    assert words.gone_in("LoginFuse") == ["fuse"]
    assert words.gone_in("_PATIENCE") == ["patience"]
    assert words.gone_in("_look_around_once") == words.gone_in("LookAround") == ["look_around"]


def test_one_word_means_one_thing() -> None:
    assert words.other_meaning_in("FakeLedger", "src/upbridge_sandbox/state.py") == ["ledger"]
    assert words.other_meaning_in("Ledger", "src/upbridge/rate_limits/ledger.py") == []


def test_a_logged_event_is_a_name() -> None:
    assert words.identifiers('log.info(\n    "old_disclosure", a=1)')[-1] == "old_disclosure"


def test_a_name_that_only_contains_the_letters_is_none() -> None:
    assert [words.gone_in(name) for name in ("feedback", "refused", "arbiter", "secure", "look")] == [[]] * 5


def test_a_gone_phrase_is_found_across_lines() -> None:
    assert words.phrases_in("What the system has over\n    there.") == [r"\bover there\b"]
    assert words.phrases_in("Nobody waits.") == [r"\bnobody\b"]


def test_the_name_of_a_test_is_read_as_a_sentence() -> None:
    assert words.phrases_in(words.said_by("test_an_order_" + "nobody_wants")) == [r"\bnobody\b"]


def test_a_plain_sentence_has_none() -> None:
    assert words.phrases_in("The worker claims the due rows.") == []


def test_the_glossary_has_one_line_for_each_word() -> None:
    rows = [line for line in GLOSSARY.splitlines() if line.startswith("| ") and not line.startswith("| ---")]
    terms = [row.split("|")[1].strip() for row in rows if row.split("|")[1].strip() != "Word"]

    assert terms
    assert sorted(terms) == sorted(set(terms))
    assert [row for row in rows if row.count("|") != 3] == []


def test_each_table_is_explained_or_has_an_everyday_name() -> None:
    terms = re.findall(r"^\| ([^|]+) \|", GLOSSARY.lower(), re.MULTILINE)
    names = {table: re.sub("ies$", "y", table.replace("_", " ")).removesuffix("s") for table in metadata.tables}

    assert {table for table, name in names.items() if name not in ", ".join(terms)} == EVERYDAY


def test_the_glossary_names_no_gone_word() -> None:
    text = GLOSSARY.lower()

    assert words.phrases_in(text) == []
    assert [name for name in words.NAMES if f"| {name} |" in text or f"`{name}`" in text] == []


def test_a_class_that_bears_the_name_of_another_one_is_found() -> None:
    one, other = ("src/upbridge/a.py", "class Row:\n    pass"), ("src/upbridge/b.py", "class Row:\n    pass")
    private = ("src/upbridge/c.py", "class _Row:\n    pass")

    assert list(words.meaning_two_things([one, private])) == []
    assert list(words.meaning_two_things([one, other])) == [
        "src/upbridge/b.py: Row: means something else in src/upbridge/a.py"
    ]

"""The shoppers of a made-up shop."""
# ruff: noqa: PLR2004 - every n-th item is special; the numbers mean nothing else

import random
import re
from collections.abc import Collection, Iterable, Mapping

from upbridge_sandbox.seed import vocabulary
from upbridge_sandbox.seed.formats import Json


def make_customers(rng: random.Random, count: int = 160) -> list[Json]:
    """The shoppers: with and without a second address, with and without an account, some of them companies."""
    shoppers: list[Json] = []
    for index in range(count):
        first, last = rng.choice(vocabulary.FIRST_NAMES), rng.choice(vocabulary.SURNAMES)
        town, postcode, country = rng.choice(vocabulary.TOWNS)
        company, account, other = index % 7 == 3, index % 4 != 0, index % 3 == 1
        second = rng.choice(vocabulary.TOWNS)
        shoppers.append(
            {
                "email": f"{_plain(first)}.{_plain(last)}{index}@example.com",
                "phone": f"+420 6{rng.randrange(10**8):08d}",
                "code": f"C{index:05d}" if account else None,
                "customer_id": index + 1 if account else None,
                "customer_pricelist_id": 1,
                "pricelist_name": "Výchozí",
                "pricelist_percent": None,
                "firstname_invoice": first,
                "surname_invoice": last,
                "street_invoice": f"{rng.choice(vocabulary.STREETS)} {rng.randrange(1, 200)}",
                "city_invoice": town,
                "state_invoice": "",
                "zip_invoice": postcode,
                "country_id_invoice": country,
                "postal_yn": int(other) if index % 5 == 0 else other,
                "firstname_postal": first if other else None,
                "surname_postal": last if other else None,
                "street_postal": f"{rng.choice(vocabulary.STREETS)} {rng.randrange(1, 200)}" if other else None,
                "city_postal": second[0] if other else None,
                "state_postal": "" if other else None,
                "zip_postal": second[1] if other else None,
                "country_id_postal": second[2] if other else None,
                "company_postal": "" if other else None,
                "company_yn": company,
                "company": f"{last} a syn s.r.o." if company else None,
                "ico": f"{rng.randrange(10**8):08d}" if company else None,
                "dic": f"CZ{rng.randrange(10**8):08d}" if company and index % 2 else None,
                "vat_payer_yn": company and bool(index % 2),
                "customer_note": "",
                "agreements": [],
            }
        )
    return shoppers


_WORD = re.compile(r"\\.|\w+")
"""A word of a text that may be JSON: what is escaped there, a line break for instance, is no letter of it."""


def words_of(text: str) -> set[str]:
    """The words of *text*."""
    return set(_WORD.findall(text))


def by_word(shoppers: Iterable[Json]) -> dict[str, set[str]]:
    """What tells of each of *shoppers* (the name, the phone, the street), by its longest word."""
    found: dict[str, set[str]] = {}
    for one in shoppers:
        for told in (f"{one['firstname_invoice']} {one['surname_invoice']}", one["phone"], one["street_invoice"]):
            found.setdefault(max(words_of(told), key=len), set()).add(told)
    return found


def tells_of(shoppers: Mapping[str, Collection[str]], text: str, words: set[str]) -> bool:
    """Whether *text*, which has these *words*, tells of one of *shoppers* (`by_word`)."""
    return any(told in text for word in shoppers.keys() & words for told in shoppers[word])


def _plain(name: str) -> str:
    table = str.maketrans("áčďéěíňóřšťúůýžÁČĎÉĚÍŇÓŘŠŤÚŮÝŽ", "acdeeinorstuuyzACDEEINORSTUUYZ")
    return name.translate(table).lower()

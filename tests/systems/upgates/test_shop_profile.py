from typing import Any

import pytest

from tests.support.upgates import CONFIG, LANGUAGES, OWNER, PRICELISTS, STATUS, STATUSES, facts_of
from upbridge.domain.shop_profile import ShopProfile
from upbridge.systems.http.exact_json import decode
from upbridge.systems.upgates.errors import Unreadable
from upbridge.systems.upgates.shop_profile import FACTS, parse_status


def test_all_six_answers_make_the_facts() -> None:
    facts = facts_of(
        owner=OWNER,
        languages=LANGUAGES,
        pricelists=PRICELISTS,
        config=CONFIG,
        order_statuses=STATUSES,
        status=STATUS,
    )

    assert (facts.company, facts.company_number, facts.country) == ("Šatník s.r.o.", "12345679", "CZ")
    assert (facts.default_language, facts.currencies) == ("cs", {"sk": "EUR", "cs": "CZK"})
    assert (facts.pricelists, facts.default_pricelist) == (("VIP", "Výchozí"), "Výchozí")
    assert (facts.prices_with_vat, facts.vat_payer) == (False, True)
    assert (facts.status_types, facts.status_names[1]) == ({1: "Received"}, {"cs": "Přijatá"})
    assert facts.statuses_of("Received") == (1,)


@pytest.mark.parametrize(("stated", "limit"), [(0, "0"), ("1", "1"), ("sale", "sale"), (None, None)])
def test_whether_orders_are_limited_to_the_stock(stated: object, limit: str | None) -> None:
    assert facts_of(config={"config": {"limit_orders": stated}}).limit_orders == limit


@pytest.mark.parametrize("name", FACTS)
def test_each_list_says_which_facts_it_brings(name: str) -> None:
    answers: dict[str, Any] = dict(
        zip(FACTS, (STATUS, LANGUAGES, OWNER, PRICELISTS, CONFIG, STATUSES), strict=True)
    )
    _, parse, fields = FACTS[name]

    assert set(parse(ShopProfile(), answers[name])) == set(fields)


def test_rights_are_known_by_their_endpoint() -> None:
    assert parse_status(STATUS)["rights"] == {"orders": "all", "products": "readonly", "owner": "deny"}


def test_what_could_not_be_read_keeps_its_default() -> None:
    assert facts_of() == ShopProfile()
    assert facts_of(owner={"owner": None}, languages={}, config={"config": []}) == ShopProfile()


def test_facts_survive_their_journey_through_json() -> None:
    facts = facts_of(order_statuses=STATUSES, languages=LANGUAGES)

    assert ShopProfile.model_validate(decode(facts.model_dump_json().encode())) == facts


def test_nonsense_says_which_answer() -> None:
    with pytest.raises(Unreadable, match=r"languages: languages\[0\].default_yn is neither true nor false"):
        facts_of(languages={"languages": [{"language_id": "cs", "default_yn": "perhaps"}]})


@pytest.mark.parametrize("body", [b'{"a": NaN}', b"[1,", b"\xff\xfe\xff", b""])
def test_what_is_not_json_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        decode(body)

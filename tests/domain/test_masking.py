"""What of a document, and of another system's words about it, may be shown and kept."""

import json

from hypothesis import given
from hypothesis import strategies as st

from upbridge.domain.masking import MASK, about_nobody, masked, unsaid

BODY = {
    "order_number": "2601",
    "discounts": [{"code": "SALE10"}],
    "shopper": {"code": "K-4711", "email": "jana@example.com", "title": "Ing.", "company": None, "vip": True},
}


def test_a_customers_code_is_about_a_person_and_a_discounts_is_not() -> None:
    shown = json.loads(masked(json.dumps(BODY).encode()))

    assert shown["order_number"] == "2601"
    assert shown["discounts"] == [{"code": "SALE10"}]
    assert shown["shopper"] == {"code": MASK, "email": MASK, "title": MASK, "company": None, "vip": True}


def test_what_another_system_repeats_of_a_person_is_masked() -> None:
    sent = {"customer": {"name": "Jana Nováková", "people": [{"phone": "+420777123456", "first_name": "Jana"}]}}

    said = unsaid("jana nováková has no phone +420777123456; ask info@shop.example, SKU TRI-M", sent)

    assert said == f"{MASK} has no phone {MASK}; ask {MASK}, SKU TRI-M"


def test_a_part_of_a_note_is_masked_and_its_label_is_not() -> None:
    sent = {"sales_order": {"internal_notes": "Payment: Kartou\nNote: Volat Janě", "notes": "x"}}

    assert unsaid("Payment refused: Volat Janě", sent) == f"Payment refused: {MASK}"
    assert unsaid("Note of Kartou", sent) == f"Note of {MASK}"


def test_a_value_that_is_cut_off_is_masked() -> None:
    sent = {"customer": {"city": "Plantov nad Sázavou"}}

    assert unsaid("cannot take Plantov nad Sáz", sent).count("Sáz") == 0
    assert unsaid("cannot take plan", sent) == f"cannot take {MASK}"


def test_what_names_the_goods_stays() -> None:
    sent = {"sales_order": {"line_items": [{"sku": "TRI-M"}], "purchase_order_ref": "UPG-demo-1"}}

    assert unsaid("TRI-M of UPG-demo-1 is not known", sent) == "TRI-M of UPG-demo-1 is not known"


def test_the_details_of_a_problem_keep_numbers_and_lose_persons() -> None:
    params = {"message": "jana@example.com is wrong", "status": 422}

    assert about_nobody(params, json.dumps(BODY).encode()) == {"message": f"{MASK} is wrong", "status": 422}
    noted = {"shopper": {"note": "TRIKO-M by Friday", "company": "Novák s.r.o."}}
    lines = {"codes": "TRIKO-M, gift for Novák s.r.o."}
    assert about_nobody(lines, json.dumps(noted).encode()) == {"codes": f"TRIKO-M, gift for {MASK}"}
    assert about_nobody(params, b"no json")["message"] == f"{MASK} is wrong"


@given(st.text(min_size=3, max_size=40).filter(lambda one: len(one.strip()) >= 3), st.text(), st.text())
def test_no_value_about_a_person_is_repeated_whole(value: str, before: str, after: str) -> None:
    said = unsaid(f"{before}{value}{after}", {"shopper": {"email": value}})

    assert value.strip() in MASK or value.strip() not in said

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from upbridge.core.clock import FOR_EVER
from upbridge.core.parsing import storable
from upbridge.systems.upgates.errors import Unreadable
from upbridge.systems.upgates.fields import amount, flag, key_of, moment, parse_list, path, rate, text, whole

FIELDS = [text, amount, rate, whole, flag, moment]
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.decimals(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


class TestMoment:
    @pytest.mark.parametrize(
        "written",
        [
            pytest.param("2024-02-29T14:24:49+01:00", id="as written today"),
            pytest.param("2024-02-29T14:24:49+0100", id="an offset without a colon"),
            pytest.param("2024-02-29T13:24:49Z", id="UTC"),
            pytest.param("2024-02-29 14:24:49", id="no offset means Prague"),
            pytest.param(
                {"date": "2024-02-29 14:24:49.000000", "timezone_type": 3, "timezone": "Europe/Prague"}, id="PHP"
            ),
            pytest.param(
                {"date": "2024-02-29 14:24:49", "timezone_type": 1, "timezone": "+01:00"}, id="PHP, offset"
            ),
            pytest.param(
                {"date": "2024-02-29 14:24:49", "timezone_type": 2, "timezone": "CET"}, id="PHP, letters"
            ),
            pytest.param({"date": "2024-02-29 13:24:49", "timezone_type": 3, "timezone": "UTC"}, id="PHP, UTC"),
        ],
    )
    def test_the_same_moment_in_every_spelling(self, written: Any) -> None:
        assert moment(written) == datetime(2024, 2, 29, 13, 24, 49, tzinfo=UTC)

    def test_summer_in_prague_is_two_hours_ahead(self) -> None:
        assert moment("2022-06-22T10:56:47") == datetime(2022, 6, 22, 8, 56, 47, tzinfo=UTC)

    @pytest.mark.parametrize("written", [None, "", "  ", False, [], {}, 0, "0", "0000-00-00 00:00:00"])
    def test_nothing_is_none(self, written: Any) -> None:
        assert moment(written) is None

    @pytest.mark.parametrize("zone", ["Europe/Prague", "UTC", "+01:00", "LMT", "Europe/Atlantis", None])
    @pytest.mark.parametrize(
        "day",
        [
            "0000-00-00",
            "0000-01-01",
            "-0001-11-30",
            "\N{MINUS SIGN}0001-11-30",
            "-1-11-30",
            "-000001-11-30",
            "+0000-00-00",
            "00.00.0000",
            "30.11.-0001",
            "0001-01-01",
            "30. 11. -0001",
        ],
    )
    @pytest.mark.parametrize("clock", ["", " 00:00:00", " 00:00:00.000000", "T00:00:00+00:57", "T00:00:00Z"])
    def test_a_zero_date_is_none_in_every_spelling(self, day: str, clock: str, zone: str | None) -> None:
        assert moment(f" {day}{clock} ") is None
        assert moment({"date": f"{day}{clock}", "timezone_type": 3, "timezone": zone}) is None

    @given(st.datetimes(datetime(FOR_EVER, 1, 1), datetime(9999, 12, 31)))  # noqa: DTZ001 - hypothesis wants naive ones
    def test_a_date_beyond_every_calendar_is_none(self, when: datetime) -> None:
        assert moment(when.isoformat() + "Z") is None

    @given(st.datetimes(datetime(1000, 1, 2), datetime(FOR_EVER - 1, 12, 31)))  # noqa: DTZ001 - hypothesis wants naive ones
    def test_no_other_moment_is_lost(self, when: datetime) -> None:
        assume(f"{when:%Y-%m-%d}" not in {"1899-12-30", "1900-01-01", "1970-01-01"})
        assert moment(when.isoformat() + "Z") == when.replace(tzinfo=UTC)

    @pytest.mark.parametrize(
        "written",
        ["yesterday", 1709213089, {"date": "2024-02-29", "timezone": "Europe/Atlantis"}],
    )
    def test_nonsense_is_refused(self, written: Any) -> None:
        with pytest.raises(ValueError, match="is not a moment"):
            moment(written)


class TestTextOfNumbers:
    @pytest.mark.parametrize(
        ("written", "expected"),
        [
            (8592000074706, "8592000074706"),
            (8592000074706.0, "8592000074706"),
            (Decimal("8.592000074706E+12"), "8592000074706"),
            (Decimal("8592000074706.0"), "8592000074706"),
            ("0012345678905", "0012345678905"),
            (Decimal("1.50"), "1.50"),
            (Decimal(0), "0"),
        ],
    )
    def test_an_ean_may_come_as_a_number(self, written: Any, expected: str) -> None:
        assert text(written) == expected

    @pytest.mark.parametrize("written", [Decimal("1e300"), float("inf"), float("nan")])
    def test_what_is_no_code_stays_short(self, written: Any) -> None:
        assert len(text(written) or "") < 10


class TestFlag:
    @pytest.mark.parametrize("written", [True, 1, "1", "true", "TRUE", Decimal(1)])
    def test_true_in_every_spelling(self, written: Any) -> None:
        assert flag(written) is True

    @pytest.mark.parametrize("written", [False, 0, "0", "false", Decimal(0)])
    def test_false_in_every_spelling(self, written: Any) -> None:
        assert flag(written) is False

    @pytest.mark.parametrize("written", ["maybe", 2, [1]])
    def test_anything_else_is_refused(self, written: Any) -> None:
        with pytest.raises(ValueError, match="is "):
            flag(written)


class TestNumbers:
    @pytest.mark.parametrize("written", [41, "41", "41.0", Decimal("41.0"), " 41 "])
    def test_an_id_in_every_spelling(self, written: Any) -> None:
        assert whole(written) == 41

    @pytest.mark.parametrize("written", ["41a", 4.5, True, 2**63, Decimal("1e300")])
    def test_what_is_no_id_is_refused(self, written: Any) -> None:
        with pytest.raises(ValueError, match="is not a whole number"):
            whole(written)

    def test_an_amount_is_exact(self) -> None:
        assert amount(0.1) == Decimal("0.1")
        assert amount("56.20") == Decimal("56.20")

    @pytest.mark.parametrize("written", ["NaN", "Infinity", "1e99", Decimal("1e-99"), "12,5", True])
    def test_what_is_no_sensible_number_is_refused(self, written: Any) -> None:
        with pytest.raises(ValueError, match="is not a number"):
            amount(written)

    @pytest.mark.parametrize("written", [-1, 101])
    def test_a_rate_is_a_percentage(self, written: Any) -> None:
        with pytest.raises(ValueError, match="percent"):
            rate(written)


class TestText:
    def test_a_number_becomes_text(self) -> None:
        assert text(2862) == "2862"

    @pytest.mark.parametrize("written", [None, "", " ", False, [], {}])
    def test_nothing_is_none(self, written: Any) -> None:
        assert text(written) is None

    def test_it_is_kept_as_written(self) -> None:
        assert text(" A\u00a01 ") == " A\u00a01 "

    def test_what_no_database_stores_is_dropped(self) -> None:
        assert text("a\0b") == "ab"
        assert text("a\ud800b") == "a?b"


@pytest.mark.parametrize("parse", FIELDS)
@given(junk=JUNK)
def test_no_value_raises_anything_but_a_complaint(parse: Any, junk: Any) -> None:
    try:
        parse(junk)
    except ValueError as complaint:
        said = str(complaint)
    else:
        said = "is fine"
    assert said.startswith("is ")


class TestParseList:
    @staticmethod
    def _parse(raw: Any) -> int:
        if raw == 13:
            raise Unreadable("13", "is unlucky")
        return int(raw)

    def test_one_bad_entity_never_stops_its_batch(self) -> None:
        good, bad = parse_list([1, 13, 2], self._parse)

        assert good == [1, 2]
        assert [(one.key, one.reason) for one in bad] == [("13", "is unlucky")]

    @pytest.mark.parametrize("listed", [None, [], {}, ""])
    def test_nothing_is_an_empty_list(self, listed: Any) -> None:
        assert parse_list(listed, self._parse) == ([], [])

    def test_an_array_with_gaps_comes_as_an_object(self) -> None:
        assert parse_list({"0": 1, "2": 2}, self._parse) == ([1, 2], [])

    def test_what_is_no_list_is_one_complaint(self) -> None:
        good, bad = parse_list("abc", self._parse)

        assert good == []
        assert len(bad) == 1


def test_a_place_is_written_as_people_do() -> None:
    assert path("products", 2, "quantity") == "products[2].quantity"


def test_an_entity_without_a_name_is_a_question_mark() -> None:
    assert key_of({"order_number": None, "order_id": 7}, "order_number", "order_id") == "7"
    assert key_of("nonsense", "order_number") == "?"


@given(number=st.text(st.characters(codec=None, exclude_categories=()), max_size=300))
def test_the_name_of_a_complaint_can_be_stored(number: str) -> None:
    name = key_of({"order_number": number}, "order_number")

    assert name.strip()
    assert name == storable(name)
    assert len(name) <= 100


def test_the_name_of_a_complaint_is_what_the_shop_would_recognise() -> None:
    assert key_of({"order_number": "X\0Y"}, "order_number") == "XY"
    assert key_of({"order_number": "\ud800Z"}, "order_number") == "?Z"
    assert key_of({"order_number": "\0", "order_id": 7}, "order_number", "order_id") == "7"

"""The signature check: what is accepted, and everything else refused."""

import base64
import json
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from hypothesis import given
from hypothesis import settings as how
from hypothesis import strategies as st

from tests.installation.signing import API_URL, LONG, SHORT, TOKEN, Upgates
from tests.support.clock import NOON
from upbridge.core.errors import BadSignature
from upbridge.installation.signature import Endpoint, SignedCall, claim, integer, moment, signed_string

UPGATES = Upgates()
STRANGER = Upgates()
EC = Upgates("ec")

#: Values as they may stand in a signed string.
words = st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters=";"), min_size=1, max_size=60)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)


#: Signing takes its time on a busy machine.
slow = how(deadline=None)


def check(
    call: dict[str, Any],
    endpoint: Endpoint,
    *,
    upgates: Upgates = UPGATES,
    token: str = TOKEN,
    now: datetime = NOON,
) -> SignedCall:
    said = claim(call, endpoint=endpoint, signature_token=token, now=now, max_age=900)
    return said.prove([upgates.pem])


class TestTheSignedString:
    @pytest.mark.rule("R3")
    def test_an_installation_signs_five_values_and_the_token_in_the_documented_order(self) -> None:
        values = {"apiKey": "c", "time": "e", "token": "a", "apiUrl": "d", "apiUser": "b"}

        assert signed_string(LONG, values, "f") == "a;b;c;d;e;f"

    @pytest.mark.rule("R4")
    def test_an_opening_signs_token_time_and_the_signature_token(self) -> None:
        assert signed_string(SHORT, {"time": "b", "token": "a"}, "c") == "a;b;c"


class TestAccepts:
    @pytest.mark.rule("R3", "R5")
    @pytest.mark.parametrize("upgates", [pytest.param(UPGATES, id="rsa"), pytest.param(EC, id="ec")])
    def test_an_installation_by_either_kind_of_key(self, upgates: Upgates) -> None:
        call = check(upgates.install("shop-9", apiKey="tajný klíč"), Endpoint.INSTALL, upgates=upgates)

        assert call.token == "shop-9"
        assert call.access is not None
        assert call.access.api_key == "tajný klíč"
        assert call.access.api_url == API_URL
        assert call.time == NOON

    @pytest.mark.rule("R4")
    @pytest.mark.parametrize("endpoint", [Endpoint.OPEN, Endpoint.UNINSTALL])
    def test_an_opening_and_an_uninstallation(self, endpoint: Endpoint) -> None:
        assert check(UPGATES.open(), endpoint).access is None

    def test_json_escapes_of_the_address_as_php_writes_them(self) -> None:
        body = json.dumps(UPGATES.install()).replace("/", "\\/")

        assert check(json.loads(body), Endpoint.INSTALL).access is not None

    @pytest.mark.parametrize(
        "time",
        [
            pytest.param("2026-11-24T12:00:00+01:00", id="offset with a colon"),
            pytest.param("2026-11-24T12:00:00+0100", id="offset without a colon"),
            pytest.param("2026-11-24T11:00:00Z", id="zulu"),
            pytest.param("2026-11-24T12:00:00", id="no offset means Prague"),
            pytest.param("2026-11-24 12:00:00", id="a blank for the T"),
            pytest.param("2026-11-24T11:00:00.000+00:00", id="fractions"),
        ],
    )
    def test_the_time_string_exactly_as_it_came(self, time: str) -> None:
        call = UPGATES.sign({"token": "shop-1", "time": time}, SHORT)

        assert check(call, Endpoint.OPEN).time == NOON

    @slow
    @given(token=words, user=words, key=words)
    def test_any_values_that_the_separator_cannot_confuse(self, token: str, user: str, key: str) -> None:
        call = check(UPGATES.install(token, apiUser=user, apiKey=key), Endpoint.INSTALL)

        assert call.access is not None
        assert (call.token, call.access.api_user, call.access.api_key) == (token, user, key)

    @pytest.mark.rule("R31")
    def test_a_version_call_of_either_string_and_says_which(self) -> None:
        plain = check(UPGATES.version(), Endpoint.VERSION)
        full = check(UPGATES.version(apiUser="1", apiKey="2", apiUrl=API_URL), Endpoint.VERSION)

        assert plain.access is None
        assert full.access is not None

    def test_credentials_of_a_version_call_only_if_they_were_signed(self) -> None:
        planted = {**UPGATES.version(), "apiUser": "1", "apiKey": "2", "apiUrl": "https://evil.example/api/v2"}

        assert check(planted, Endpoint.VERSION).access is None


class TestRefuses:
    @pytest.mark.parametrize("name", LONG)
    def test_a_changed_value(self, name: str) -> None:
        call = UPGATES.install()
        call[name] = "2026-11-24T11:00:01Z" if name == "time" else f"{call[name]}x"

        with pytest.raises(BadSignature):
            check(call, Endpoint.INSTALL)

    @pytest.mark.parametrize("name", [*LONG, "signature_v2"])
    @pytest.mark.parametrize(
        "value",
        [
            pytest.param(None, id="null"),
            pytest.param("", id="empty"),
            pytest.param(12345678, id="a number"),
            pytest.param(["x"], id="a list"),
            pytest.param("a;b", id="the separator"),
            pytest.param("a\x00b", id="a zero byte"),
            pytest.param("\ud800", id="a lone surrogate"),
            pytest.param("x" * 70_000, id="endless"),
        ],
    )
    def test_an_impossible_value(self, name: str, value: Any) -> None:
        with pytest.raises(BadSignature):
            check({**UPGATES.install(), name: value}, Endpoint.INSTALL)

    @pytest.mark.parametrize("name", [*LONG, "signature_v2"])
    def test_a_missing_value(self, name: str) -> None:
        call = UPGATES.install()
        del call[name]

        with pytest.raises(BadSignature):
            check(call, Endpoint.INSTALL)

    def test_values_that_contain_the_separator_even_if_they_were_signed(self) -> None:
        with pytest.raises(BadSignature):
            check(UPGATES.install("shop;1"), Endpoint.INSTALL)

    def test_a_stranger_s_key(self) -> None:
        with pytest.raises(BadSignature):
            check(STRANGER.install(), Endpoint.INSTALL)

    @pytest.mark.rule("R9")
    def test_another_addon_s_token(self) -> None:
        body = {"token": "shop-1", "time": NOON.isoformat()}

        with pytest.raises(BadSignature):
            check(UPGATES.sign(body, SHORT, token="theirs"), Endpoint.OPEN)

    def test_an_empty_signature_token_because_every_stranger_can_sign_with_it(self) -> None:
        call = UPGATES.sign({"token": "shop-1", "time": NOON.isoformat()}, SHORT, token="")

        with pytest.raises(BadSignature, match="any caller can sign"):
            check(call, Endpoint.OPEN, token="")

    @pytest.mark.rule("R5")
    def test_the_legacy_field(self) -> None:
        call = UPGATES.open()
        call["signature"] = call.pop("signature_v2")

        with pytest.raises(BadSignature):
            check(call, Endpoint.OPEN)

    def test_the_string_of_another_endpoint(self) -> None:
        with pytest.raises(BadSignature):
            check(UPGATES.install(), Endpoint.OPEN)

    @pytest.mark.parametrize(
        "spoil",
        [
            pytest.param(lambda text: text[:-8], id="cut"),
            pytest.param(lambda text: text + "\n", id="a line break"),
            pytest.param(lambda text: " " + text, id="a blank"),
            pytest.param(lambda text: text.replace("=", ""), id="without padding"),
            pytest.param(lambda text: text + "AAAA", id="more after the end"),
            pytest.param(lambda text: "é" + text, id="not ASCII"),
        ],
    )
    def test_a_signature_that_is_not_exactly_base64(self, spoil: Any) -> None:
        call = UPGATES.open()

        with pytest.raises(BadSignature):
            check({**call, "signature_v2": spoil(call["signature_v2"])}, Endpoint.OPEN)

    @pytest.mark.rule("R5")
    def test_pss_padding_and_other_digests(self) -> None:
        assert isinstance(UPGATES.key, rsa.RSAPrivateKey)
        call = UPGATES.open()
        data = signed_string(SHORT, call, TOKEN).encode()
        pss = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.MAX_LENGTH)

        for signature in (
            UPGATES.key.sign(data, pss, hashes.SHA256()),
            UPGATES.key.sign(data, padding.PKCS1v15(), hashes.SHA512()),
        ):
            with pytest.raises(BadSignature):
                check({**call, "signature_v2": base64.b64encode(signature).decode()}, Endpoint.OPEN)

    @pytest.mark.parametrize(
        "pem", [pytest.param(b"", id="nothing"), pytest.param(b"<html>sorry</html>", id="a page")]
    )
    def test_a_key_that_is_none(self, pem: bytes) -> None:
        with pytest.raises(BadSignature):
            claim(UPGATES.open(), endpoint=Endpoint.OPEN, signature_token=TOKEN, now=NOON, max_age=900).prove(
                [pem]
            )

    @pytest.mark.rule("R2")
    @slow
    @given(call=st.dictionaries(st.sampled_from([*LONG, "signature_v2", "signature", "version"]), json_values))
    def test_all_that_was_not_signed(self, call: dict[str, Any]) -> None:
        for endpoint in Endpoint:
            with pytest.raises(BadSignature):
                check(call, endpoint)

    @slow
    @given(seed=st.integers(0, 2**32))
    def test_a_signature_with_any_bit_turned(self, seed: int) -> None:
        call = UPGATES.open()
        signature = bytearray(base64.b64decode(call["signature_v2"]))
        position = random.Random(seed).randrange(len(signature) * 8)
        signature[position // 8] ^= 1 << (position % 8)

        with pytest.raises(BadSignature):
            check({**call, "signature_v2": base64.b64encode(signature).decode()}, Endpoint.OPEN)


class TestTheWindow:
    @pytest.mark.rule("R8")
    @slow
    @given(seconds=st.integers(-900, 86_400))
    def test_is_open_from_max_age_ago_to_a_day_ahead(self, seconds: int) -> None:
        at = NOON + timedelta(seconds=seconds)

        assert check(UPGATES.open(at=at), Endpoint.OPEN).time == at

    @pytest.mark.rule("R8")
    @slow
    @given(seconds=st.integers(-(10**9), -901) | st.integers(86_401, 10**9))
    def test_is_closed_elsewhere(self, seconds: int) -> None:
        with pytest.raises(BadSignature, match="too far"):
            check(UPGATES.open(at=NOON + timedelta(seconds=seconds)), Endpoint.OPEN)

    @pytest.mark.parametrize(
        "time",
        [
            "2026-11-24T12:00:00Z",
            "2026-11-24t12:00:00z",
            "2026-11-24 13:00:00+01:00",
            "2026-11-24T13:00:00+0100",
            "2026-11-24T13:00:00+01",
            "2026-11-24T13:00:00",
            "2026-11-24T12:00Z",
            "20261124T120000Z",
            "2026-11-24T12:00:00.000Z",
            "2026-11-24T12:00:00,000000000Z",
        ],
    )
    def test_reads_every_spelling_of_a_moment(self, time: str) -> None:
        assert moment(time, now=NOON) == datetime(2026, 11, 24, 12, tzinfo=UTC)

    @pytest.mark.parametrize(
        "time",
        [
            pytest.param("", id="empty"),
            pytest.param("now", id="a word"),
            pytest.param("1795345200", id="seconds"),
            pytest.param("2026-11-24", id="only a day"),
            pytest.param("2026-W48-2T12:00:00", id="a week"),
            pytest.param("2026-13-24T12:00:00Z", id="month 13"),
            pytest.param("2026-11-24T12:00:00+99:00", id="offset 99"),
            pytest.param("0001-01-01T00:00:00+14:00", id="before the calendar"),
            pytest.param("9999-12-31T23:59:59-14:00", id="after the calendar"),
            pytest.param("0001-01-01T00:00:00", id="before Prague's calendar"),
            pytest.param("\uff12\uff10\uff12\uff16-11-24T12:00:00Z", id="wide digits"),
        ],
    )
    def test_takes_no_other_spelling(self, time: str) -> None:
        with pytest.raises(BadSignature):
            moment(time, now=NOON)

    def test_reads_the_hour_that_autumn_has_twice_as_near_as_it_can(self) -> None:
        first = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
        second = datetime(2026, 10, 25, 1, 30, tzinfo=UTC)

        assert moment("2026-10-25T02:30:00", now=first) == first
        assert moment("2026-10-25T02:30:00", now=second) == second


class TestWhatIsNotSigned:
    @pytest.mark.parametrize(
        ("value", "number"),
        [
            (0, 0),
            (7, 7),
            ("7", 7),
            ("", None),
            (None, None),
            (True, None),
            (-1, None),
            (2**31, None),
            ("\u0667", None),
        ],
    )
    def test_a_version_is_a_small_number_or_nothing(self, value: Any, number: int | None) -> None:
        assert integer(value) == number

    @pytest.mark.rule("R7")
    def test_are_outside_the_signature(self) -> None:
        call = check({**UPGATES.open(), "version": 99, "current_admin_language": "sk"}, Endpoint.OPEN)

        assert (call.version, call.language) == (99, "sk")


class TestTheDigest:
    def test_is_the_same_for_an_opening_and_an_uninstallation_of_the_same_second(self) -> None:
        assert check(UPGATES.open(), Endpoint.OPEN).digest == check(UPGATES.uninstall(), Endpoint.UNINSTALL).digest

    def test_is_the_same_for_every_spelling_of_an_ec_signature(self) -> None:
        one, other = EC.open(), EC.open()

        assert one["signature_v2"] != other["signature_v2"]
        assert check(one, Endpoint.OPEN, upgates=EC).digest == check(other, Endpoint.OPEN, upgates=EC).digest


@pytest.mark.rule("R10")
def test_no_repr_shows_a_secret() -> None:
    shown = repr(check(UPGATES.install("shop-secret", apiKey="hunter2"), Endpoint.INSTALL))

    assert "hunter2" not in shown
    assert "shop-secret" not in shown

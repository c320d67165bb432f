"""Whether a call comes from Upgates: bytes, key, token and the moment in; a `SignedCall` or `BadSignature` out.

The signed string is the values joined by `;` in a fixed order, the add-on's own signature token last (R3, R4);
the signature is base64, SHA-256, RSA PKCS#1 v1.5 or EC (R5). `version` and `current_admin_language` are outside
the signature (R7): hints, never authority. The legacy field `signature` is not looked at.

Assumption: the page on the version call is not public, so both strings that it might sign are tried, and new
credentials count only if they were part of the one that fits. Opening and uninstallation sign the same string, so
a signature does not say which call it was made for; `SignedCall.digest` lets the service notice a replay. `time`
is called its "validity time" without saying whether it begins or ends then: hence a window to both sides (R8).
"""

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, TypeAlias

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from upbridge.core.clock import PRAGUE
from upbridge.core.encryption import digest
from upbridge.core.errors import BadSignature

#: How far a signed `time` may lie in the future (docs/vendors/upgates.md#the-signature).
MAX_AHEAD = timedelta(seconds=86_400)
#: No published value comes near this. The token has to fit an index of the database; an address that is too long
#: was signed all the same, and is refused as an address.
MAX_TOKEN = 500
MAX_VALUE = 2_048
MAX_ADDRESS = 65_536
_LONGEST = {"token": MAX_TOKEN, "apiUser": MAX_VALUE, "apiKey": MAX_VALUE, "apiUrl": MAX_ADDRESS, "time": 64}
_UNSIGNABLE = re.compile("[;\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_MAX_INTEGER = 2**31 - 1
_INTEGER = re.compile(r"\d{1,10}", re.ASCII)

_TIME = re.compile(
    r"\d{4}-?\d\d-?\d\d[T ]\d\d:?\d\d(?::?\d\d(?:[.,]\d{1,9})?)?(?P<offset>Z|[+-]\d\d(?::?\d\d)?)?",
    re.ASCII | re.IGNORECASE,
)

Values: TypeAlias = tuple[str, ...]
PublicKey: TypeAlias = rsa.RSAPublicKey | ec.EllipticCurvePublicKey


class Endpoint(StrEnum):
    """The four calls that Upgates makes."""

    INSTALL = "install"
    OPEN = "open"
    UNINSTALL = "uninstall"
    VERSION = "version"


#: Of a signature in base64: that of an RSA key of 8,192 bits has 1,368 characters.
_LONGEST_SIGNATURE = 1_400

SHORT: Values = ("token", "time")
LONG: Values = ("token", "apiUser", "apiKey", "apiUrl", "time")
#: Which values each endpoint signs, in order; the first that fits counts.
ORDERS: Mapping[Endpoint, tuple[Values, ...]] = {
    Endpoint.INSTALL: (LONG,),
    Endpoint.OPEN: (SHORT,),
    Endpoint.UNINSTALL: (SHORT,),
    Endpoint.VERSION: (LONG, SHORT),
}


@dataclass(frozen=True, slots=True)
class SignedCredentials:
    """API credentials that were part of what Upgates signed."""

    api_user: str
    api_key: str = field(repr=False)
    api_url: str


@dataclass(frozen=True, slots=True)
class SignedCall:
    """A call that Upgates made. *access* is None where the signed string had no credentials."""

    endpoint: Endpoint
    token: str = field(repr=False)
    time: datetime
    digest: bytes = field(repr=False)
    access: SignedCredentials | None
    version: int | None
    """A hint (R7): not signed."""
    language: str | None
    """A hint (R7): not signed, and any text."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A call whose shape and time are right and whose signature still has to be proved."""

    endpoint: Endpoint
    time: datetime
    signature: bytes = field(repr=False)
    candidates: tuple[tuple[Values, bytes], ...] = field(repr=False)
    values: Mapping[str, str] = field(repr=False)
    version: int | None
    language: str | None

    def prove(self, keys_pem: Iterable[bytes]) -> SignedCall:
        """The signed call, if one of the keys made the signature over a documented string; else `BadSignature`."""
        for pem in keys_pem:
            key = load_key(pem)
            for order, data in self.candidates:
                if verifies(key, self.signature, data):
                    return self._signed(order, data)
        raise BadSignature("the signature does not fit the signed values")

    def _signed(self, order: Values, data: bytes) -> SignedCall:
        values = self.values
        return SignedCall(
            endpoint=self.endpoint,
            token=values["token"],
            time=self.time,
            # of what was signed, not of the signature: EC signatures have many spellings, this has one
            digest=digest(data),
            access=SignedCredentials(values["apiUser"], values["apiKey"], values["apiUrl"])
            if order is LONG
            else None,
            version=self.version,
            language=self.language,
        )


def signed_string(order: Iterable[str], values: Mapping[str, str], signature_token: str) -> str:
    """What Upgates signs: the values in this *order*, the add-on's token last, joined by `;` (R3, R4)."""
    return ";".join([*(values[name] for name in order), signature_token])


def claim(
    call: Mapping[str, Any], *, endpoint: Endpoint, signature_token: str, now: datetime, max_age: int
) -> Claim:
    """Everything that can be said without a key. Raises `BadSignature` for a missing or impossible value, a
    signature that is no base64, and a `time` outside the window."""
    if not signature_token:
        raise BadSignature("there is no signature token: any caller can sign with an empty one")
    values = {
        name: call[name] for name in LONG if _signable(call.get(name), longest=_LONGEST.get(name, MAX_VALUE))
    }
    orders = [order for order in ORDERS[endpoint] if all(name in values for name in order)]
    if not orders:
        raise BadSignature("a signed value is missing or cannot be what Upgates signs")
    time = moment(values["time"], now=now)
    if time < now - timedelta(seconds=max_age):
        raise BadSignature("the signed time lies too far in the past")
    if time > now + MAX_AHEAD:
        raise BadSignature("the signed time lies too far in the future")
    return Claim(
        endpoint=endpoint,
        time=time,
        signature=_signature(call.get("signature_v2")),
        candidates=tuple((order, signed_string(order, values, signature_token).encode()) for order in orders),
        values=values,
        version=integer(call.get("version")),
        language=_word(call.get("current_admin_language")),
    )


def moment(text: str, *, now: datetime) -> datetime:
    """*text* as a moment in UTC: ISO 8601 (day and time of day, in any of its spellings) with `+01:00`, `+0100`,
    `Z`, or no offset, which is Europe/Prague.

    In the hour that autumn has twice the reading nearer to *now* is taken. Raises `BadSignature`.
    """
    match = _TIME.fullmatch(text)
    if match is None:
        raise BadSignature("the signed time is not ISO 8601")
    try:
        parsed = datetime.fromisoformat(text.upper())
        if match["offset"]:
            return parsed.astimezone(UTC)
        readings = [parsed.replace(tzinfo=PRAGUE, fold=fold).astimezone(UTC) for fold in (0, 1)]
    except (ValueError, OverflowError):
        raise BadSignature("the signed time is not ISO 8601") from None
    return min(readings, key=lambda reading: abs(reading - now))


def load_key(pem: bytes) -> PublicKey:
    """The public key in *pem*, RSA or EC. Raises `BadSignature` for anything else."""
    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm):
        raise BadSignature("the public key cannot be read") from None
    if not isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
        raise BadSignature("the public key is neither RSA nor EC")
    return key


def integer(value: Any) -> int | None:
    """`version` as Upgates may write it: a number, its digits, "" or nothing at all."""
    if isinstance(value, str) and _INTEGER.fullmatch(value):
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MAX_INTEGER:
        return value
    return None


def _word(value: Any) -> str | None:
    return value[:16] if isinstance(value, str) else None


def _signable(value: Any, *, longest: int) -> bool:
    """Whether *value* may stand in a signed string: text, not empty, not longer than any published value, without
    the separator, without control characters (no published value has one, and Postgres takes no NUL) and without
    lone surrogates."""
    return isinstance(value, str) and 0 < len(value) <= longest and _UNSIGNABLE.search(value) is None


def _signature(value: Any) -> bytes:
    if not isinstance(value, str) or not value:
        raise BadSignature("signature_v2 is missing")
    if len(value) > _LONGEST_SIGNATURE:
        raise BadSignature("signature_v2 is longer than any signature")
    try:
        return base64.b64decode(value.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        raise BadSignature("signature_v2 is not base64") from None


def verifies(key: PublicKey, signature: bytes, data: bytes) -> bool:
    """Whether *key* made *signature* over *data*, as `openssl_verify(…, OPENSSL_ALGO_SHA256) === 1` says it."""
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, data, padding.PKCS1v15(), hashes.SHA256())
        else:
            key.verify(signature, data, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True

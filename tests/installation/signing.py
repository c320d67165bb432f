"""Upgates, as far as tests need it: a key pair and calls signed with it."""

import base64
import itertools
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from tests.support.clock import NOON

TOKEN = "our-signature-token"
API_URL = "https://shop.admin.s1.upgates.com/api/v2"
SHORT = ("token", "time")
LONG = ("token", "apiUser", "apiKey", "apiUrl", "time")

_count = itertools.count()


class Upgates:
    """Signs calls with its key. `Upgates("ec")` has an EC key."""

    def __init__(self, kind: str = "rsa") -> None:
        self.key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
        if kind == "rsa":
            self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        else:
            self.key = ec.generate_private_key(ec.SECP256R1())

    @property
    def pem(self) -> bytes:
        """The public key."""
        return self.key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def signature(self, data: bytes) -> bytes:
        """Bare signature bytes over *data*."""
        if isinstance(self.key, rsa.RSAPrivateKey):
            return self.key.sign(data, padding.PKCS1v15(), hashes.SHA256())
        return self.key.sign(data, ec.ECDSA(hashes.SHA256()))

    def sign(self, body: Mapping[str, Any], order: tuple[str, ...], token: str = TOKEN) -> dict[str, Any]:
        """*body* with `signature_v2` over the values of *order* and the token."""
        data = ";".join([*(body[name] for name in order), token]).encode()
        return {**body, "signature_v2": base64.b64encode(self.signature(data)).decode()}

    def install(self, token: str = "shop-1", *, at: datetime = NOON, **more: Any) -> dict[str, Any]:
        """An activation."""
        body = {
            "token": token,
            "version": 1,
            "apiUser": "12345678",
            "apiKey": f"key-{next(_count)}",
            "apiUrl": API_URL,
            "current_admin_language": "cs",
            "time": at.isoformat(),
            **more,
        }
        return self.sign(body, LONG)

    def open(self, token: str = "shop-1", *, at: datetime = NOON, **more: Any) -> dict[str, Any]:
        """An opening."""
        body = {"token": token, "current_admin_language": "cs", "version": 1, "time": at.isoformat(), **more}
        return self.sign(body, SHORT)

    def uninstall(self, token: str = "shop-1", *, at: datetime = NOON, **more: Any) -> dict[str, Any]:
        """A deactivation."""
        return self.sign({"token": token, "version": 1, "time": at.isoformat(), **more}, SHORT)

    def version(self, token: str = "shop-1", *, at: datetime = NOON, **more: Any) -> dict[str, Any]:
        """A change of version, signed like an activation if it carries credentials."""
        body = {"token": token, "version": 2, "time": at.isoformat(), **more}
        return self.sign(body, LONG if set(LONG) <= body.keys() else SHORT)


#: One pair of keys for all tests: making them takes longer than most tests.
UPGATES = Upgates()

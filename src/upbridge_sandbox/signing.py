"""Signatures as Upgates documents them: values joined by `;`, SHA-256, RSA PKCS#1 v1.5 (or EC), base64.

https://www.upgates.com/a/verification-of-add-ons; the order of the values stands on the pages of the single calls.
"""

import base64
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

INSTALL = ("token", "apiUser", "apiKey", "apiUrl", "time")
SHORT = ("token", "time")


class Signer:
    """Upgates' key pair: made at start, replaced on demand. `kind` is rsa or ec."""

    def __init__(self, kind: str = "rsa") -> None:
        self._key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
        self.rotate(kind)

    def rotate(self, kind: str = "rsa") -> None:
        """A new key pair; signatures of the old one are worth nothing from now on."""
        if kind == "ec":
            self._key = ec.generate_private_key(ec.SECP256R1())
        elif kind == "rsa":
            self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        else:
            raise ValueError("a signing key is rsa or ec")

    @property
    def public_pem(self) -> bytes:
        """The public key as the key address serves it."""
        return self._key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def sign(self, body: dict[str, Any], names: tuple[str, ...], signature_token: str) -> str:
        """`signature_v2` over the named values of *body* and the add-on's token."""
        data = ";".join([*(str(body[name]) for name in names), signature_token]).encode()
        if isinstance(self._key, rsa.RSAPrivateKey):
            signature = self._key.sign(data, padding.PKCS1v15(), hashes.SHA256())
        else:
            signature = self._key.sign(data, ec.ECDSA(hashes.SHA256()))
        return base64.b64encode(signature).decode()

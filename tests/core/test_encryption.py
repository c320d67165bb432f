import pytest
from cryptography.fernet import Fernet

from upbridge.core.encryption import Cipher, DecryptionError

KEY, OTHER = (Fernet.generate_key().decode() for _ in range(2))


def test_what_is_decrypted_soon_is_encrypted_all_the_same() -> None:
    sealed = Cipher([KEY]).encrypt(b"a product", soon=True)

    assert b"a product" not in bytes(sealed)
    assert Cipher([OTHER, KEY]).decrypt(sealed) == b"a product"
    with pytest.raises(DecryptionError):
        Cipher([OTHER]).decrypt(sealed)


def test_what_was_remembered_is_decrypted_as_often_as_asked_for() -> None:
    cipher = Cipher([KEY])
    sealed = [cipher.encrypt(f"{number}", soon=True) for number in range(4_100)]

    for _ in range(2):
        assert [cipher.decrypt_text(one) for one in sealed] == [f"{number}" for number in range(4_100)]


def test_what_differs_from_what_was_remembered_is_refused() -> None:
    cipher = Cipher([KEY])
    sealed = cipher.encrypt(b"a product", soon=True)

    with pytest.raises(DecryptionError):
        cipher.decrypt(sealed[:-4] + b"AAA=")

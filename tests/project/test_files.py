"""No committed file names a registry, a machine's path or a secret."""

import base64
import os

import pytest

from tests.project import files


def test_no_committed_file_says_too_much() -> None:
    assert files.complaints() == []


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("--index-url https://" + "pypi" + ".org/simple", id="a registry"),
        pytest.param("see /ho" + "me/jana/upbridge/src", id="somebody's home"),
        pytest.param("-----BEGIN RSA PRIVATE" + " KEY-----", id="a private key"),
        pytest.param(base64.urlsafe_b64encode(b"\xff" + os.urandom(31)).decode(), id="an encryption key"),
    ],
)
def test_what_says_too_much_is_found(text: str) -> None:
    assert len(list(files.in_text("a file", text))) == 1


@pytest.mark.parametrize(
    "path", [".env", "deploy/server.key", "six-1.17.0-py2.py3-none-any.whl", "a/b-1.0.tar.gz"]
)
def test_a_file_that_is_no_source_is_found(path: str) -> None:
    assert list(files.in_name(path)) == [f"{path} should not be committed"]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("https://files.upgates.com/opt/addons", id="a path of somebody's web site"),
        pytest.param(base64.urlsafe_b64encode(b"0123456789" * 3 + b"ab").decode(), id="a key that spells ASCII"),
        pytest.param("--hash=sha256:" + "0a" * 32, id="a hash"),
    ],
)
def test_what_is_harmless_passes(text: str) -> None:
    assert list(files.in_text("a file", text)) == []

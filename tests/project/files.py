"""What must not be committed: hosts of package registries, paths of one machine, secrets, built packages.

The forbidden words are put together here, so that this file does not contain them itself.
"""

import base64
import binascii
import re
from collections.abc import Iterator
from pathlib import Path

from tests.project.documents import TOP, committed

_REGISTRIES = tuple(
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("npmjs", "org"),
        ("deb", "debian", "org"),
        ("docker", "io"),
        ("ghcr", "io"),
        ("quay", "io"),
    )
)
_PATH = re.compile(
    r"(?<![\w.:/-])/(?:" + "|".join(("ro" + "ot", "ho" + "me", "wo" + "rk", "Us" + "ers")) + r")/\w"
)
_PRIVATE_KEY = re.compile("-----BEGIN [A-Z ]*PRIVATE" + " KEY-----")
_FERNET = re.compile(r"(?<![\w+/=-])[\w-]{43}=(?![\w=])")
# A package that a person downloaded or built: a hundred times the size of a source file, and no person reviews it.
_PACKAGES = re.compile(r"\.(whl|egg|tar\.gz|tgz|zip)$")
_SECRET_FILES = re.compile(r"(^|/)(\.env|id_[a-z0-9]+|.*\.(pem|key|p12|pfx|sqlite3?|dump))$")


def complaints() -> list[str]:
    """One line for each file that says too much."""
    return [
        line
        for path in committed()
        for line in (*in_name(str(path.relative_to(TOP))), *in_text(path.name, _text(path)))
    ]


def in_text(name: str, text: str) -> Iterator[str]:
    """What *text* must not say."""
    yield from (f"{name} names the registry {host}" for host in _REGISTRIES if host in text.lower())
    yield from (f"{name} has a path of one machine: {found[0]}…" for found in _PATH.finditer(text))
    yield from (f"{name} holds a private key" for _ in _PRIVATE_KEY.finditer(text))
    yield from (f"{name} holds an encryption key" for found in _FERNET.finditer(text) if _is_random(found[0]))


def in_name(path: str) -> Iterator[str]:
    """What is no source file, by its path below the repository."""
    if _SECRET_FILES.search(path) or _PACKAGES.search(path):
        yield f"{path} should not be committed"


def _is_random(key: str) -> bool:
    """A key that was drawn at random; one that spells ASCII, as tests use, is none."""
    try:
        return not base64.urlsafe_b64decode(key).isascii()
    except binascii.Error:
        return False


def _text(path: Path) -> str:
    return path.read_bytes().decode("utf-8", errors="ignore")

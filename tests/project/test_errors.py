"""Every error has an answer: a status for the caller, a code for the log, a sentence for the merchant."""

import importlib
import pkgutil
from collections.abc import Iterator

import pytest

import upbridge
from upbridge.core.errors import RemoteError, UpbridgeError
from upbridge.core.i18n import LANGUAGES, Texts


def _errors(root: type[UpbridgeError] = UpbridgeError) -> Iterator[type[UpbridgeError]]:
    """The whole tree, from every module of the package."""
    yield root
    for child in root.__subclasses__():
        if child.__module__.startswith("upbridge."):
            yield from _errors(child)


for _module in pkgutil.walk_packages(upbridge.__path__, "upbridge."):
    if not _module.name.endswith("__main__"):
        importlib.import_module(_module.name)

ERRORS = sorted(set(_errors()), key=lambda error: error.__qualname__)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.__qualname__)
class TestEveryError:
    def test_has_a_status_and_a_code(self, error: type[UpbridgeError]) -> None:
        assert 400 <= error.status <= 599
        assert error.code.replace("_", "").isalpha()
        assert error.code.islower()

    def test_says_by_itself_what_went_wrong(self, error: type[UpbridgeError]) -> None:
        assert (error.__doc__ or "").strip().splitlines()[0].endswith(".")

    @pytest.mark.parametrize("language", LANGUAGES)
    def test_has_a_sentence_for_the_merchant(self, error: type[UpbridgeError], language: str) -> None:
        assert Texts(language).has(error.merchant)


def test_codes_tell_errors_apart() -> None:
    own = [error.code for error in ERRORS if "code" in vars(error)]

    assert len(own) == len(set(own))


def test_what_another_system_did_wrong_is_never_blamed_on_the_caller() -> None:
    assert all(error.status >= 500 for error in ERRORS if issubclass(error, RemoteError))

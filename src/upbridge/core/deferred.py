"""A collaborator that is there a moment after the start: until then, who asks for it is asked to come again."""

from typing import Generic, TypeVar

from upbridge.core.errors import NotReady

T = TypeVar("T")


class Deferred(Generic[T]):
    """Holds one value that is set once, when it could be loaded."""

    def __init__(self, missing: str, value: T | None = None) -> None:
        self._missing = missing
        self._value = value

    @property
    def ready(self) -> bool:
        """Whether the value is there."""
        return self._value is not None

    def set(self, value: T) -> None:
        """The value, from now on."""
        self._value = value

    def get(self) -> T:
        """The value; raises `NotReady` as long as it could not be loaded."""
        if self._value is None:
            raise NotReady(self._missing)
        return self._value

"""The base of the values that systems share."""

from pydantic import BaseModel, ConfigDict


class Value(BaseModel):
    """Immutable, and without fields that nobody declared."""

    model_config = ConfigDict(frozen=True, extra="forbid")

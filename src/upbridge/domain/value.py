"""The base of the values that systems share."""

from pydantic import BaseModel, ConfigDict


class Value(BaseModel):
    """Immutable; an undeclared field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")

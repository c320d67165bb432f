"""The identity of a shop, in a type of its own so that no other id passes for it."""

from typing import NewType
from uuid import UUID

ShopId = NewType("ShopId", UUID)

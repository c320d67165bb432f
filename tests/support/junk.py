"""Anything that a system may answer where something else was expected."""

import copy
from typing import Any

from hypothesis import strategies as st

JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(-1e30, 1e30).filter(lambda number: not 0 < abs(number) < 1e-30)  # others end the whole answer
    | st.text(max_size=5)
    | st.sampled_from(["1e400", "-1", "NaN", "9" * 40, "\ud800", "a\0b", "2024-13-01", "0000-00-00", -100, 1e30]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path to everything inside *value*."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for key, part in inside for found in [(*path, key), *places(part, (*path, key))]]


def with_junk(value: Any, path: tuple[Any, ...], junk: Any) -> Any:
    """A copy of *value* with *junk* at *path*."""
    changed = copy.deepcopy(value)
    target = changed
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = junk
    return changed

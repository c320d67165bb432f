"""Python's collector of garbage, kept from what lives as long as the process."""

import gc

_MOST = 40
"""Collections after which what was found alive is spared. By then the caches of a process are full; and what was
spared by chance is never found, but it is little."""


def spare_what_is_here() -> None:
    """Have the collector never look again at what exists now: modules, routes, models.

    There are 170,000 of these. It looks at all of them whenever a quarter as much was made since, as of some large
    webhooks, and nothing else runs for the tenth of a second that it takes.
    """
    gc.collect()
    gc.freeze()
    gc.collect()  # of nearly nothing: otherwise it waits until a quarter of what is spared now has come anew


_OLD = 2
"""After so many collections of the middle generation the oldest is looked at, too; Python's own number is 10."""


def spare_what_stays() -> None:
    """The same for what comes to stay later: templates, statements and connections, while a process gets warm.

    What a whole collection leaves alive is not looked at again, so that the next one is short; and the next one
    comes soon, so that it has not much to look at either.
    """
    gc.set_threshold(*gc.get_threshold()[:2], _OLD)
    left = _MOST

    def collected(phase: str, info: dict[str, int]) -> None:
        nonlocal left
        if phase == "stop" and info["generation"] == 2 and left:  # noqa: PLR2004 - the oldest there is
            left -= 1
            gc.freeze()

    gc.callbacks.append(collected)


#: So many values are made before the collector looks at the young ones; Python's own number is 700.
_YOUNG = 20_000


def look_seldom() -> None:
    """Have the collector look at young values once for 20,000 of them.

    A page of a list is 100,000 values that live until it is settled. To look at them again and again took a
    seventh of a worker's time, and nearly nothing here is garbage that only the collector finds.
    """
    gc.set_threshold(_YOUNG, *gc.get_threshold()[1:])

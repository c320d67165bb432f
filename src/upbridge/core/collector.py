"""Python's collector of garbage, kept from what lives as long as the process."""

import gc


def spare_what_is_here() -> None:
    """Have the collector never look again at what exists now: modules, routes, models.

    There are 170,000 of these. It looks at all of them whenever a quarter as much was made since, as of some large
    webhooks, and nothing else runs for the tenth of a second that it takes.
    """
    gc.collect()
    gc.freeze()


#: So many values are made before the collector looks at the young ones; Python's own number is 700.
_YOUNG = 20_000


def look_seldom() -> None:
    """Have the collector look at young values once for 20,000 of them.

    A page of a list is 100,000 values that live until it is settled. To look at them again and again took a
    seventh of a worker's time, and nearly nothing here is garbage that only the collector finds.
    """
    gc.set_threshold(_YOUNG, *gc.get_threshold()[1:])

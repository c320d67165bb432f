"""Python's collector of garbage, kept from what lives as long as the process."""

import gc


def spare_what_is_here() -> None:
    """Have the collector never look again at what exists now: modules, routes, models.

    There are 170,000 of these. It looks at all of them whenever a quarter as much was made since, as of some large
    webhooks, and nothing else runs for the tenth of a second that it takes.
    """
    gc.collect()
    gc.freeze()

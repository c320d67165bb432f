"""One suite for every target: after any fault the target holds what it should, once."""

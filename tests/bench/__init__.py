"""That the measurements can still be made; what they are is for `make bench` to say."""

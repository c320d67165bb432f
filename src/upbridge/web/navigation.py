"""The pages in the order of the navigation: the last part of their address and of their texts' keys."""

PLACES = ("start", "overview", "connections", "rules", "problems", "find", "products", "usage")

"""How far back people are shown orders."""

SHOWN_DAYS = 30
"""Every order of so many days is in a box of the first page, is counted with the shop's own number, and is judged
by the rules that a person tries out."""

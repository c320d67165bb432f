"""The platform: the system in which the shops live. Its orders and products are the truth."""

#: Its name in tables, lanes and addresses. Everything about it stands in `systems/<this name>`.
PLATFORM = "upgates"

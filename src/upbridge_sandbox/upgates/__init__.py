"""The simulated Upgates API v2, as strict as its published description.

`access_rules.py` decides whether a call may be made at all, `fields.py` says which parameters and fields exist,
`orders.py`, `products.py`, `settings.py` and `subscriptions.py` answer, `lists.py` makes their pages,
`announcements.py` delivers webhooks.
"""

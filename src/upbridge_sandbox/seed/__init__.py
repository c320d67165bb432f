"""What a new shop holds: apparel, shoppers and four hundred orders, the same for the same seed.

`plan.py` turns the request of the control API into a shop; `products.py` and `orders.py` build products and
orders in the shapes of the published API and of real captured answers; `uphance_seed.py` derives what Uphance
knows of them.
"""

"""Upp.ai: products and orders go there, nothing comes back.

mapping.py   what Upp should hold (pure)
client.py    the five calls that Upp publishes, with the token behind them
push.py      the target: batches, halving, outcomes
cpa.py       the one thing that the shop does not know: advertising cost per day, from a file
"""

"""A third system: `ledger` is all that it takes, the rest simulates it and proves that."""

"""How the other systems are called: one transport, one table of status codes, one way to halve a batch."""

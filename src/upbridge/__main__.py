"""`python -m upbridge`."""

from upbridge.cli import main

main()

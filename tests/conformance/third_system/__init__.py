"""A third system: `abacus` is all that it takes, the rest simulates it and proves that.

Its side stands beside the others in `tests/conformance/systems`, and so it goes through their suite. The pages and
the program know it by its line in the registry alone: `tests/web/test_third_system.py`,
`tests/cli/test_third_system.py`.
"""

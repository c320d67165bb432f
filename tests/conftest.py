"""Fixtures that every test may use; they are defined in the modules named here."""

import asyncio
import sys

pytest_plugins = [
    "tests.support.postgres",
    "tests.support.shops",
    "tests.support.engine",
    "tests.support.web_application",
    "tests.support.tracing",
    "tests.support.calm_loop",
]

if sys.platform == "win32":  # psycopg's async mode needs a selector loop there
    asyncio.set_event_loop_policy(asyncio.WindowsSelectorEventLoopPolicy())  # type: ignore[attr-defined,unused-ignore]

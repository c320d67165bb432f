"""The templates of the pages, compiled once in a process.

Compiling one takes up to fifty milliseconds, in which no webhook is answered: it is done before the first request.
"""

from jinja2 import BytecodeCache, Environment, FileSystemLoader, StrictUndefined, select_autoescape
from jinja2.bccache import Bucket

from upbridge.core.package_files import package_file


class _Compiled(BytecodeCache):
    """What was compiled so far."""

    def __init__(self) -> None:
        self._code: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Give *bucket* what is known of it; it sees for itself whether the template has changed since."""
        if (code := self._code.get(bucket.key)) is not None:
            bucket.bytecode_from_string(code)

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep what *bucket* holds."""
        self._code[bucket.key] = bucket.bytecode_to_string()


_compiled = _Compiled()


def page_templates() -> Environment:
    """The templates: everything in them is escaped, and a name that is missing is an error."""
    return Environment(
        loader=FileSystemLoader(package_file("templates")),
        bytecode_cache=_compiled,
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def compile_templates() -> None:
    """Compile every template; a quarter of a second."""
    templates = page_templates()
    for name in templates.list_templates(extensions=["html"]):
        templates.get_template(name)

"""The files that ship with the service: templates, catalogues, migrations."""

from pathlib import Path


def package_file(name: str) -> Path:
    """A file or folder that ships with the service: beside the code in a wheel, at the top of a checkout."""
    here = Path(__file__).parent.parent
    inside = here / name
    return inside if inside.exists() else here.parent.parent / name

"""What a system's folder holds stands in files of the same names in each: who knows one folder knows all."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from upbridge.core import errors
from upbridge.systems.base import System

#: In every folder.
ALWAYS = ("system", "settings", "client", "target")

#: Where a part of the descriptor is made, if the system has it.
PARTS = {
    "connect": "connect",
    "source": "source",
    "write_back": "write_back",
    "trial": "probe",
    "costs": "cpa",
    "mapping_basis": "basis",
    "new_names": "new_names",
    "declared_calls": "accesses",
    "address_policy": "url_policy",
}

#: Where what is not in the descriptor stands, if the system has it.
KINDS = ("errors", "order_policy", "transport")

#: The modules that speak to the system: only these make a `Remote`.
SPEAKING = ("client", "transport")


def folder_of(system: System) -> ModuleType:
    """The package of *system*: the one in which its descriptor stands."""
    [module] = [
        module
        for name, module in sys.modules.items()
        if name.endswith(f".{system.name}.system") and system in vars(module).values()
    ]
    return sys.modules[module.__name__.rpartition(".")[0]]


def complaints(system: System) -> Iterator[str]:
    """One line for each thing of *system* that stands elsewhere than in the other folders."""
    package = folder_of(system)
    folder = Path(package.__path__[0])
    files = {path.stem: path.read_text() for path in folder.glob("*.py")}
    yield from (f"{system.name} has no {name}.py" for name in ALWAYS if name not in files)
    for part, name in PARTS.items():
        value = getattr(system, part)
        if value is not None and value is not getattr(_DEFAULT, part) and name not in files:
            yield f"{system.name} has a {part} and no {name}.py"
    for name, source in files.items():
        for node in ast.walk(ast.parse(source)):
            match node:
                case ast.ClassDef(bases=[ast.Name(id=of), *_]) if of in _ERRORS and name != "errors":
                    yield f"{system.name}: the error {node.name} stands in {name}.py"
                case ast.Call(func=ast.Name(id="Remote")) if name not in SPEAKING:
                    yield f"{system.name}: {name}.py calls the system by itself"


_DEFAULT = System(name="", title="")
_ERRORS = {
    name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, Exception)
}

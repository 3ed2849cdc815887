"""All modules that a tool may import, from one file: its bundle, which the installation makes (host/bytecode.py).

A tool that ends soon does little but start, and to look for each of its modules takes longer than to run it. The file is this module's
code, which the tool runs before it imports anything, and then a dict: name -> whether it is a package, bytecode. What is not in it is
imported as ever, and all of it where there is no such file.
"""

from __future__ import annotations

import sys
from marshal import loads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from types import ModuleType

    Modules = dict[str, tuple[bool, bytes]]


class Bundle:
    """A finder and loader (PEP 451) of `modules`, whose sources are in the folder `library`."""

    def __init__(self, library: str, modules: Modules) -> None:
        self._library = library
        self._modules = modules

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:  # noqa: ARG002 - as PEP 451 has it
        """Give what the import system is to know of a module; None for one that is not in here."""
        found = self._modules.get(name)
        if found is None:
            return None
        is_package = found[0]
        place = f"{self._library}/{name.replace('.', '/')}"
        make: type[ModuleSpec] = type(sys.__spec__)  # importlib.machinery would take as long to import as all of a tool
        spec = make(name, self, origin=f"{place}/__init__.py" if is_package else f"{place}.py", is_package=is_package)  # type: ignore[arg-type]
        spec.has_location = True
        if spec.submodule_search_locations is not None:
            spec.submodule_search_locations.append(place)
        return spec

    def create_module(self, spec: ModuleSpec) -> None:
        """Leave it to the import system."""

    def exec_module(self, module: ModuleType) -> None:
        """Run a module's code, which is then needed no more."""
        _is_package, code = self._modules.pop(module.__name__)
        exec(loads(code), module.__dict__)


def use(library: str, modules: Modules) -> None:
    """Import `modules` from here from now on."""
    sys.meta_path.insert(0, Bundle(library, modules))

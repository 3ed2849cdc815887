"""What the installed runtime's bytecode leaves out, and what it must not; which modules a tool's bundle has."""

from __future__ import annotations

import inspect
import traceback

import pytest

from runit_provision.host.bytecode import bare, closure, compiled

SOURCE = b'''"""A module."""
from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import nowhere
else:
    import errno

LIMIT: int = 3
"""A limit."""
later: str


class Part:
    """A part."""

    number: int
    __slots__ = ("made",)

    def take(self, each: int, *, more: dict[str, int] | None = None) -> int:
        """Take it."""
        made: int = each + LIMIT
        return made + errno.EPERM


def refuse(text: str = "no") -> None:
    """Refuse."""
    raise ValueError(text)
'''


def test_bytecode_does_what_the_source_says_without_docstrings_annotations_and_imports_for_type_checkers() -> None:
    names: dict[str, object] = {"__name__": "module"}
    exec(compiled(bare(SOURCE), "module.py"), names)
    part = names["Part"]
    assert isinstance(part, type)
    functions = [names["refuse"], part.__dict__["take"]]
    assert part().take(1) == 5
    assert [names.get("__doc__"), part.__doc__, *(each.__doc__ for each in functions)] == [None] * 4
    assert [each.__annotations__ for each in functions] == [{}] * 2
    assert not names.keys() & {"annotations", "nowhere", "later"}
    assert not names.get("__annotations__")
    assert not inspect.get_annotations(part)


def test_a_traceback_names_file_line_and_function() -> None:
    names: dict[str, object] = {"__name__": "module"}
    exec(compiled(bare(SOURCE), "/usr/lib/module.py"), names)
    refuse = names["refuse"]
    assert callable(refuse)
    with pytest.raises(ValueError, match="no") as raised:
        refuse()
    last = traceback.extract_tb(raised.tb)[-1]
    line = SOURCE.decode().splitlines().index("    raise ValueError(text)") + 1
    assert (last.filename, last.lineno, last.name) == ("/usr/lib/module.py", line, "refuse")


def test_a_bundle_has_what_a_module_imports_at_its_start_and_later_and_the_packages_of_that() -> None:
    sources = {
        "top": b"",
        "top.tools": b"from .shared import WORDS\n",
        "top.tools.shared": b"WORDS = 1\n",
        "top.tools.one": b"import os\nfrom ..core import first\nTYPE_CHECKING = False\nif TYPE_CHECKING:\n    from . import two\n",
        "top.tools.two": b"",
        "top.core": b"",
        "top.core.first": b"def late():\n    from .second import name\n    return name\n",
        "top.core.second": b"from ... import top\nname = 2\n",
        "top.core.third": b"",
    }
    trees = {name: bare(source) for name, source in sources.items()}
    found = closure("top.tools.one", trees, {"top", "top.tools", "top.core"})
    assert found == {"top", "top.core", "top.core.first", "top.core.second", "top.tools", "top.tools.one", "top.tools.shared"}

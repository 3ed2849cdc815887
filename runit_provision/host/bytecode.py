"""Byte-compiles the runtime without what only its readers need: docstrings, annotations, what is for type checkers, and columns.

    PYTHON -I -X no_debug_ranges bytecode.py FOLDER LIBRARY         (each *.py below FOLDER, which will be LIBRARY)

Each start of a tool would read that, and each process of a tree keep it. A program of its own, of the standard library alone, since
bytecode is made by the interpreter that is to run it. Lines stay: a traceback names them.
"""

from __future__ import annotations

import ast
import importlib.util
import marshal
import sys
from pathlib import Path
from types import CodeType

_UNCHECKED_HASH = 1
"""PEP 552: what is laid is never edited, so the source is not looked at again."""


class _Bare(ast.NodeTransformer):
    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST | None:
        return None if node.module == "__future__" else node

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        return self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        self.generic_visit(node)
        bare = ast.Pass() if node.value is None else ast.Assign([node.target], node.value)
        return ast.copy_location(bare, node)

    def visit_If(self, node: ast.If) -> ast.AST | list[ast.stmt]:
        self.generic_visit(node)
        if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            return node.orelse or ast.copy_location(ast.Pass(), node)
        return node


def _with_short_names(code: CodeType) -> CodeType:
    """Name each function as it is called there: what it stands in is one more string for each, and nobody asks for it."""
    inner = (_with_short_names(each) if isinstance(each, CodeType) else each for each in code.co_consts)
    return code.replace(co_consts=tuple(inner), co_qualname=code.co_name)


def compiled(source: bytes, name: str) -> CodeType:
    """Give the code of a module whose file is called `name` in tracebacks."""
    tree = ast.fix_missing_locations(_Bare().visit(ast.parse(source)))
    return _with_short_names(compile(tree, name, "exec", dont_inherit=True, optimize=2))


def main(folder: str, library: str) -> None:
    """Compile each file below `folder`, under the name that is looked for without -OO."""
    for file in Path(folder).rglob("*.py"):
        source = file.read_bytes()
        code = compiled(source, library + str(file).removeprefix(folder))
        target = Path(importlib.util.cache_from_source(str(file), optimization=""))
        target.parent.mkdir(exist_ok=True)
        head = importlib.util.MAGIC_NUMBER + _UNCHECKED_HASH.to_bytes(4, "little") + importlib.util.source_hash(source)
        target.write_bytes(head + marshal.dumps(code))


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Byte-compiles the runtime without what only its readers need: docstrings, annotations, what is for type checkers, and columns.

    PYTHON -I -X no_debug_ranges bytecode.py FOLDER LIBRARY TOOL...     (each *.py below FOLDER, which will be LIBRARY)

Each start of a tool would read that, and each process of a tree keep it. A program of its own, of the standard library alone, since
bytecode is made by the interpreter that is to run it. Lines stay: a traceback names them.

Each TOOL, a module of runtime.cli, gets all that it may import in one file besides, its bundle (runtime/bundle.py): of a tool that
ends soon, to find and read a dozen files is a tenth of all that it does.
"""

from __future__ import annotations

import ast
import importlib.util
import marshal
import sys
from collections.abc import Iterator
from pathlib import Path
from types import CodeType

_UNCHECKED_HASH = 1
"""PEP 552: what is laid is never edited, so the source is not looked at again."""
_CLI = "runit_provision.runtime.cli"
_BUNDLE = "runit_provision.runtime.bundle"


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


def bare(source: bytes) -> ast.Module:
    """Give the syntax of a module without what only its readers need."""
    tree: ast.Module = ast.fix_missing_locations(_Bare().visit(ast.parse(source)))
    return tree


def compiled(tree: ast.Module, name: str) -> CodeType:
    """Give the code of a module whose file is called `name` in tracebacks."""
    return _with_short_names(compile(tree, name, "exec", dont_inherit=True, optimize=2))


def imported(tree: ast.Module, package: str) -> Iterator[str]:
    """Give the name of all that a module imports, at its start or later; of `from A import B` A and A.B. package: the one it is in."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: -node.level + 1 or None] if node.level else []
            base = ".".join([*above, node.module] if node.module else above)
            yield base
            yield from (f"{base}.{each.name}" for each in node.names)


def closure(name: str, trees: dict[str, ast.Module], packages: set[str]) -> set[str]:
    """Give the modules of `trees` that the module `name` needs: itself, what it imports, and the packages they are in."""
    found: set[str] = set()
    wanted = {name}
    while wanted:
        module = wanted.pop()
        if module in found or module not in trees:
            continue
        found.add(module)
        above = module.rpartition(".")[0]
        wanted |= {above, *imported(trees[module], module if module in packages else above)}
    return found


def main(folder: str, library: str, *tools: str) -> None:
    """Compile each file below `folder`, under the name that is looked for without -OO, and make the bundles of `tools`."""
    trees, codes, packages = {}, {}, set()
    for file in Path(folder).rglob("*.py"):
        source = file.read_bytes()
        name = ".".join(file.relative_to(folder).with_suffix("").parts)
        if file.name == "__init__.py":
            name = name.removesuffix(".__init__")
            packages.add(name)
        trees[name] = bare(source)
        codes[name] = code = marshal.dumps(compiled(trees[name], library + str(file).removeprefix(folder)))
        target = Path(importlib.util.cache_from_source(str(file), optimization=""))
        target.parent.mkdir(exist_ok=True)
        head = importlib.util.MAGIC_NUMBER + _UNCHECKED_HASH.to_bytes(4, "little") + importlib.util.source_hash(source)
        target.write_bytes(head + code)
    for tool in tools:
        modules = {name: (name in packages, codes[name]) for name in closure(f"{_CLI}.{tool}", trees, packages)}
        with Path(folder, f"{tool}.{sys.implementation.cache_tag}.bundle").open("wb") as bundle:
            bundle.write(codes[_BUNDLE] + marshal.dumps(modules))


if __name__ == "__main__":
    main(*sys.argv[1:])

"""The layers that Puppet adds to a hierarchy: a node's environment, and the modules that the environment sees.

Source: Puppet's documentation, "About environments" and "environment.conf".
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from runit_provision.errors import DataError, Mark, Problem
from runit_provision.inputs import Inputs

_SETTING = re.compile(r"\s*(\w+)\s*=\s*(.*?)\s*")
_SECTION = re.compile(r"\s*\[(\w*)\].*")
_NOTHING = re.compile(r"\s*(?:#.*)?")
_QUOTE = re.compile(r"\A['\"]|['\"]\Z")
"""Around a setting's value, each alone, as Puppet takes them away."""
_VARIABLE = re.compile(r"\$(\w+|\{)")
_MAGIC = re.compile(r"[*?\[{]")


@dataclass(frozen=True, slots=True)
class Layers:
    """The layers below the global one, as Puppet's settings of these names give them; none of them has to be there.

    environmentpath: a folder of environments, or None; modulepath: folders of modules, or None for what environment.conf says;
    basemodulepath: modules of all environments, or None for `modules` beside the environments, where Puppet has them.
    """

    environment: str = "production"
    environmentpath: Path | None = None
    modulepath: tuple[Path, ...] | None = None
    basemodulepath: tuple[Path, ...] | None = None

    def environment_path(self, inputs: Inputs) -> Path | None:
        """Give the environment's folder; DataError when it is not there."""
        if self.environmentpath is None:
            return None
        path = self.environmentpath / self.environment
        if not inputs.is_folder(str(path)):
            raise DataError(Problem("no such environment", path=str(path), hint="check --environmentpath and --environment"))
        return path

    def modules(self, inputs: Inputs) -> tuple[Path, ...]:
        """Give the folders of modules, the first first; DataError when environment.conf is wrong."""
        if self.modulepath is not None:
            return self.modulepath
        environment = self.environment_path(inputs)
        if environment is None:
            return self.basemodulepath or ()
        assert self.environmentpath
        codedir = Path(os.path.normpath(self.environmentpath / ".."))
        base = (codedir / "modules",) if self.basemodulepath is None else self.basemodulepath
        # absolute, as in Puppet: they come to stand in environment.conf, whose relative folders start at the environment
        known = {"basemodulepath": ":".join(str(folder.absolute()) for folder in base), "codedir": str(codedir.absolute())}
        written = _modulepath_of(environment / "environment.conf", known, inputs)
        if written is None:
            return (environment / "modules", *base)
        return tuple(folder for entry in written.split(":") if entry for folder in _folders(entry, environment, inputs))


def _modulepath_of(path: Path, known: Mapping[str, str], inputs: Inputs) -> str | None:
    """Give the modulepath that the environment.conf at `path` sets, its variables filled in; None when it says nothing."""
    from runit_provision.hiera import read_text

    if not inputs.exists(str(path)):
        return None
    section = "main"
    for number, line in enumerate(read_text(path, inputs).splitlines(), 1):
        mark = Mark(str(path), number, 1)
        if found := _SECTION.fullmatch(line):
            section = found[1]
        elif found := _SETTING.fullmatch(line):
            if (section, found[1]) == ("main", "modulepath"):
                return _filled(_QUOTE.sub("", found[2]), known, mark)
        elif not _NOTHING.fullmatch(line):
            raise DataError(Problem("neither a setting nor a comment", mark, hint="as `modulepath = site:modules:$basemodulepath`"))
    return None


def _filled(text: str, known: Mapping[str, str], mark: Mark) -> str:
    for name in (found[1] for found in _VARIABLE.finditer(text)):
        if name not in known:
            hint = f"known here are {', '.join(f'${each}' for each in known)}; or give --modulepath"
            raise DataError(Problem(f"unknown setting ${name}", mark, key="modulepath", hint=hint))
    return _VARIABLE.sub(lambda found: known[found[1]], text)


def _folders(entry: str, environment: Path, inputs: Inputs) -> Iterator[Path]:
    """Give the folders of one entry: a relative one starts at the environment, a pattern stands for what it matches."""
    from runit_provision.hiera.ruby.globs import ruby_glob

    path = os.path.normpath(environment / entry)
    yield from map(Path, ruby_glob(path, inputs)) if _MAGIC.search(path) else [Path(path)]

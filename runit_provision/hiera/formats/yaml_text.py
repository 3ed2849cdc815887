"""Values as YAML that means the same to Puppet, to PyYAML and to ours."""

from __future__ import annotations

from typing import Any

from runit_provision.hiera.formats.scalars import UnreadableError, scalar
from runit_provision.model.data import Numeral


def yaml_text(value: Any) -> str:
    """Give plain data (None, bool, int, float, str, list, dict) in block style, keys in their order, without a newline at its end.

    A string that is a string to PyYAML alone (`1,000`, `08:30`, `:name`) is quoted.
    """
    import yaml

    class Dumper(yaml.CSafeDumper):
        """PyYAML's, with Psych's eyes for what has to be quoted."""

        def represent_text(self, text: str) -> yaml.ScalarNode:
            return self.represent_scalar("tag:yaml.org,2002:str", text, style=None if _stays_text(text) else "'")

    Dumper.add_representer(str, Dumper.represent_text)
    Dumper.add_representer(Numeral, Dumper.represent_int)
    text: str = yaml.dump(value, Dumper=Dumper, sort_keys=False, allow_unicode=True, default_flow_style=False, width=100)
    return text.removesuffix("\n").removesuffix("\n...")


def _stays_text(text: str) -> bool:
    try:
        return type(scalar(text)) is str
    except UnreadableError:
        return False

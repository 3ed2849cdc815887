"""Where the content of a file comes from, and the other files of a service directory."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from runit_provision.model.data import Sensitive
from runit_provision.schema.base import Spec
from runit_provision.schema.fields import Flag, Line, Mode, Relative, ScriptText, Secret, Values
from runit_provision.schema.json_kinds import SCRIPT, SECRET, Forms


class ScriptSpec(Spec):
    """A whole script: its text, or where that comes from; exactly one of `content`, `template` and `source`."""

    content: ScriptText | None = None
    """The text, shebang included. Example: "#!/bin/sh\\nexec worker\\n" """
    template: Relative | None = None
    """A Jinja2 template, found in the folders of `template_path`. It knows `service` (name, id, instance, directory, link, user, group,
    home, log_directory), its `variables`, and the filter `sh`, which quotes for the shell. Example: worker.sh.j2"""
    variables: Values = Field(default_factory=dict)
    """What the template knows beside `service`. Example: {port: 8080}"""
    source: Line | None = None
    """A file that is copied: an absolute path, or one below a folder of `file_path`. Example: worker.sh"""


def _script(value: Any) -> Any:
    """A lone text is the script."""
    return value if isinstance(value, dict) else {"content": value}


ScriptValue = Annotated[
    ScriptSpec,
    BeforeValidator(_script),
    Forms("Script", "A whole script: its text, or a hash that says where that comes from.", SCRIPT.reference),
]


class FileSpec(Spec):
    """One more file of the service directory, or, when its path ends in a slash, a directory."""

    content: Secret | None = None
    """Its text. Example: "listen=YES\\n" """
    template: Relative | None = None
    """A Jinja2 template, found in the folders of `template_path`; what it knows is said at `run`. Example: vsftpd.conf.j2"""
    variables: Values = Field(default_factory=dict)
    """What the template knows beside `service`; a secret among them makes the file one. Example: {port: 21}"""
    source: Line | None = None
    """A file that is copied, or with a path that ends in a slash a directory with all that is in it: absolute, or below a folder of
    `file_path`. Example: vsftpd.conf"""
    mode: Mode | None = None
    """Its mode; default: 0644, of a secret 0600, of a directory and of a source that is executable 0755. Example: "0755" """
    owner: Line | None = None
    """Its owner; default: whose tree it is. Example: www-data"""
    group: Line | None = None
    """Its group; default: the owner's primary one. Example: adm"""
    restarts: Flag | None = None
    """Whether a change of it restarts the service; default: when it is the program that the service runs. Example: true"""


def _file(value: Any) -> Any:
    """A lone text is the content; nothing, of a directory, is the default."""
    return {"content": value} if isinstance(value, str | Sensitive) else {} if value is None else value


FileValue = Annotated[
    FileSpec,
    BeforeValidator(_file),
    Forms("File", "One more file of a service directory: its text, or a hash; or a directory.", SECRET.reference, {"type": "null"}),
]

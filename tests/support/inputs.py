"""Data whose answer comes from everything that it can come from: levels of each kind, modules, keys, facts, variables."""

from __future__ import annotations

import base64
import datetime
import os
import pwd
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import pkcs7

from runit_provision.app.layers import Layers
from runit_provision.app.source import Source

ME = pwd.getpwuid(os.geteuid()).pw_name
SECRET = "hunter2"
_HIERA = """\
version: 5
defaults: {datadir: data, data_hash: yaml_data}
hierarchy:
  - {name: node, path: "nodes/%{trusted.certname}.yaml"}
  - {name: roles, mapped_paths: [roles, role, "roles/%{role}.yaml"]}
  - {name: parts, glob: "parts/**/*.yaml"}
  - name: secrets
    path: secrets.eyaml
    lookup_key: eyaml_lookup_key
    options: {pkcs7_private_key_env_var: EYAML_PRIVATE, pkcs7_public_key: KEYS/public.pem}
  - {name: common, path: common.yaml}
"""
_COMMON = """\
runit:
  owner: OWNER
  prefix: PLACE/runtime
  runtime: none
  profile: false
  service_directory: PLACE/service
  definitions: PLACE/sv
  log_directory: PLACE/log
  services:
    web:
      command: [sleep, "%{facts.seconds}"]
      finish: |
        #!/bin/sh
        echo ended
"""


class World:
    """The data lie in `folder`, whose paths are given relative to it; the host's files come to lie in `host`."""

    def __init__(self, place: Path) -> None:
        self.folder = place / "data"
        self.host = place / "host"
        self.library = place / "lib"
        self.folder.mkdir()
        self.host.mkdir(mode=0o755)
        self.private, token = _keys(self.folder)
        files = {
            "hiera.yaml": _HIERA.replace("KEYS", str(self.folder)),
            "facts.yaml": "seconds: 1000\nroles: [web, db]\n",
            "data/common.yaml": _COMMON.replace("PLACE", str(self.host)).replace("OWNER", ME),
            "data/roles/web.yaml": "runit: {services: {web: {env: {ROLE: web}}}}\n",
            "data/parts/one.yaml": "runit: {services: {one: {command: [sleep, '1']}}}\n",
            "data/parts/deep/two.yaml": "runit: {services: {two: {command: [sleep, '2']}}}\n",
            "data/secrets.eyaml": f"runit: {{services: {{web: {{env: {{PASSWORD: '{token}'}}}}}}}}\n",
            "modules/runit/hiera.yaml": "version: 5\nhierarchy: [{name: module, path: common.yaml}]\n",
            "modules/runit/data/common.yaml": "runit::home: /home\n",
            "environments/production/README": "",
        }
        for name, text in files.items():
            self.write(name, text)
        self.environment = {"RUNIT_PROVISION_LIB": str(self.library), "EYAML_PRIVATE": self.private}
        self.options = ["--hiera-config", "hiera.yaml", "--facts", "facts.yaml", "--node", "n1.example.org"]
        self.options += ["--modulepath", "elsewhere:modules", "--environmentpath", "environments"]
        layers = Layers(environmentpath=Path("environments"), modulepath=(Path("elsewhere"), Path("modules")))
        self.source = Source(hiera_config=Path("hiera.yaml"), facts_file=Path("facts.yaml"), node="n1.example.org", layers=layers)

    def write(self, name: str, text: str) -> None:
        """Write one of the data's files."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def add(self, name: str, text: str) -> None:
        """Write more text at the end of one."""
        self.write(name, (self.folder / name).read_text() + text)


def _keys(folder: Path) -> tuple[str, str]:
    """Make a pair of keys as `eyaml createkeys` does; give the private one, and the encrypted secret."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([])
    day = datetime.datetime(2024, 1, 1)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), day, day + datetime.timedelta(36500))
    ).sign(key, hashes.SHA256())
    (folder / "public.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    built = pkcs7.PKCS7EnvelopeBuilder().set_data(SECRET.encode()).add_recipient(certificate)
    token = base64.b64encode(built.encrypt(serialization.Encoding.DER, [pkcs7.PKCS7Options.Binary])).decode()
    plain = serialization.NoEncryption()
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, plain)
    return private.decode(), f"ENC[PKCS7,{token}]"

"""hiera.yaml of version 3: refused with the text that replaces it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from conformance.hiera.laid import opened, problems

from runit_provision.hiera import open_hierarchy
from runit_provision.hiera.config.levels import read_config
from runit_provision.inputs import Inputs


def test_version_3_is_refused_with_the_text_of_version_5(tmp_path: Path) -> None:
    config = (
        ":backends: [yaml, eyaml]\n:hierarchy: ['nodes/%{::fqdn}', common]\n:yaml:\n  :datadir: /etc/data\n"
        ":eyaml:\n  :pkcs7_private_key: /k\n"
    )
    assert problems(lambda: opened(tmp_path, config=config)) == [
        f"{tmp_path}/hiera.yaml:1:1: hiera.yaml of version 3; replace it with this:\n"
        "version: 5\n"
        "hierarchy:\n"
        '  - name: "yaml data"\n'
        "    data_hash: yaml_data\n"
        '    datadir: "/etc/data"\n'
        "    paths:\n"
        '      - "nodes/%{::fqdn}.yaml"\n'
        '      - "common.yaml"\n'
        '  - name: "eyaml data"\n'
        "    lookup_key: eyaml_lookup_key\n"
        '    datadir: "/etc/puppetlabs/code/environments/%{environment}/hieradata"\n'
        "    paths:\n"
        '      - "nodes/%{::fqdn}.eyaml"\n'
        '      - "common.eyaml"\n'
        "    options:\n"
        '      pkcs7_private_key: "/k"'
    ]


def test_version_3_in_an_environment_or_a_module_is_refused_with_the_folder_that_is_meant_there(tmp_path: Path) -> None:
    (tmp_path / "hiera.yaml").write_text("version: 5\n")
    for folder in ("environment", "modules/m"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "hiera.yaml").write_text(":backends: yaml\n")

    def said(**layers: Any) -> str:
        (problem,) = problems(lambda: open_hierarchy(tmp_path / "hiera.yaml", facts={}, node="n1", **layers).find("m::a"))
        return problem

    environment, module = said(environment_path=tmp_path / "environment"), said(modulepath=[tmp_path / "modules"])
    what = "hiera.yaml:1:1: hiera.yaml of version 3, which is for the global layer alone; replace it with this:\n"
    assert environment.startswith(f"{tmp_path}/environment/{what}")
    assert '    datadir: "hieradata"\n' in environment
    assert module.startswith(f"{tmp_path}/modules/m/{what}")
    assert '    datadir: "data"\n' in module


@pytest.mark.parametrize(
    ("written", "datadir", "paths"),
    [
        (":eyaml:\n  :extension: yaml\n  :datadir: '%{::environment}/d'\n:backends: eyaml", "%{::environment}/d", ["common.yaml"]),
        (
            ":backends: :yaml\n:hierarchy: [[nodes/a, 5], common]\n:yaml:\n  :datadir: d\n  :extension: yml",
            "d",
            ["nodes/a", "5", "common"],
        ),
        (":backends: [hocon, hocon]\n:hierarchy: 'x%{role}'\n:hocon: ~", None, ["x%{role}.conf"]),
        (":logger: :console\n:yaml:\n  :datadir: [x]", None, ["common.yaml"]),
        (":backends: {a: 1}\n:hierarchy: ~\n:yaml: x", None, ["common.yaml"]),
        (":backends: [eyaml]\n:eyaml:\n  :pkcs7_private_key: /k\n  :gpg_always_trust: yes\n  :n: 5", None, ["common.eyaml"]),
    ],
)
def test_whatever_version_3_looks_like_the_text_of_version_5_can_be_read(
    written: str, datadir: str | None, paths: list[str], tmp_path: Path
) -> None:
    (said,) = problems(lambda: opened(tmp_path, config=f"{written}\n"))
    (tmp_path / "hiera.yaml").write_text(said.partition("replace it with this:\n")[2])
    (level,) = read_config(tmp_path / "hiera.yaml", Inputs()).levels
    assert level.datadir == (datadir or "/etc/puppetlabs/code/environments/%{environment}/hieradata")
    assert [path.removesuffix(".yaml") for path in level.places] == [path.removesuffix(".yaml") for path in paths]


def test_what_version_3_says_of_merging_is_told_where_version_5_has_it(tmp_path: Path) -> None:
    config = (
        ":backends: yaml\n:hierarchy: common\n:merge_behavior: deeper\n"
        ":deep_merge_options:\n  :knockout_prefix: '--'\n:logger: console\n"
    )
    (said,) = problems(lambda: opened(tmp_path, config=config))
    assert said.partition('      - "common.yaml"\n')[2] == (
        "# :merge_behavior: deeper is said in the data, of each key or pattern that is merged:\n"
        "# lookup_options:\n"
        '#   some::key: {merge: {strategy: deep, knockout_prefix: "--"}}\n'
        "# :logger: has no counterpart"
    )

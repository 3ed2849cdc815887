"""What Bolt refuses of the plan's and the tasks' parameters, by Puppet's evaluator, which is Bolt's too. Bolt itself has no package."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from support import oracle

from .conftest import MODULE

# TargetSpec is a type of Bolt's own: names of targets, alone or in lists.
JUDGE = """
require 'json'
require 'puppet_pal'
folder, modules, kind, name, words = ARGV
Puppet.initialize_settings(["--confdir=#{folder}", "--vardir=#{folder}"])
Puppet[:tasks] = true
problems = []
Puppet::Pal.in_tmp_environment('bolt', modulepath: [modules], facts: {}) do |pal|
  pal.with_script_compiler do |compiler|
    compiler.evaluate_string('type TargetSpec = Variant[String[1], Array[TargetSpec]]')
    given = JSON.parse(words)
    if kind == 'plan'
      compiler.plan_signature(name).callable_with?(given) { |said| problems << said }
    else
      compiler.task_signature(name).runnable_with?(given) { |said| problems << said }
    end
  end
end
puts problems.join
"""
CALLS: dict[tuple[str, str], dict[str, Any]] = {
    ("plan", "runit::rolling_restart"): {"targets": ["one", "two"], "service": "web", "user": "apprun1", "at_once": 2, "settle": 0},
    ("task", "runit::sv"): {"action": "restart", "service": "web", "user": "apprun1", "wait": 30},
    ("task", "runit::status"): {"service": "web", "user": "apprun1"},
}
REFUSED = [
    (("plan", "runit::rolling_restart"), {"targets": "one"}, "expects a value for parameter 'service'"),
    (("plan", "runit::rolling_restart"), {"targets": "one", "service": "../web"}, "'service' expects a match for Runit::Name"),
    (("task", "runit::sv"), {"action": "kill", "service": "web"}, "'action' expects a match for Enum['check',"),
    (("task", "runit::sv"), {"action": "up", "service": "web", "user": "-c reboot"}, "'user' expects"),
    (("task", "runit::status"), {"servcie": "web"}, "has no parameter named 'servcie'"),
]


def problems(folder: Path, call: tuple[str, str], words: dict[str, Any]) -> str:
    ruby = oracle.program("ruby", package="puppet-agent")
    oracle.program("puppet", package="puppet-agent")
    (folder / "modules").mkdir(exist_ok=True)
    (folder / "modules/runit").symlink_to(MODULE)
    arguments = [str(folder), str(folder / "modules"), *call, json.dumps(words)]
    done = subprocess.run([ruby, "-W0", "-e", JUDGE, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("call", CALLS, ids="-".join)
def test_every_parameter_is_taken(tmp_path: Path, call: tuple[str, str]) -> None:
    assert problems(tmp_path, call, CALLS[call]) == ""


@pytest.mark.parametrize(("call", "words", "said"), REFUSED)
def test_wrong_parameters_are_refused_before_anything_runs(
    tmp_path: Path, call: tuple[str, str], words: dict[str, Any], said: str
) -> None:
    assert said in problems(tmp_path, call, words)


def test_the_plan_calls_the_tasks_that_there_are() -> None:
    called = {task for plan in MODULE.glob("plans/*.pp") for task in re.findall(r"run_task\('runit::(\w+)'", plan.read_text())}
    assert called == {path.stem for path in MODULE.glob("tasks/*.json")}

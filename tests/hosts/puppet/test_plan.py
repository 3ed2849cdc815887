"""The plan, and what is refused of its and the tasks' parameters, by Puppet's evaluator, which is Bolt's too. Bolt has no package."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support import oracle

from .conftest import DEBIAN_13, MODULE

# TargetSpec is a type of Bolt's own: names of targets, alone or in lists.
JUDGE = """
require 'json'
require 'puppet_pal'
folder, modules, calls = ARGV
Puppet.initialize_settings(["--confdir=#{folder}", "--vardir=#{folder}"])
Puppet[:tasks] = true
said = []
Puppet::Pal.in_tmp_environment('bolt', modulepath: [modules], facts: {}) do |pal|
  pal.with_script_compiler do |compiler|
    compiler.evaluate_string('type TargetSpec = Variant[String[1], Array[TargetSpec]]')
    said = JSON.parse(calls).map do |(kind, name), given|
      problems = []
      if kind == 'plan'
        compiler.plan_signature(name).callable_with?(given) { |problem| problems << problem }
      else
        compiler.task_signature(name).runnable_with?(given) { |problem| problems << problem }
      end
      problems.join
    end
  end
end
puts JSON.generate(said)
"""
# What Bolt adds to the evaluator; of a task it is told what was called. On `three` the service does not stay up.
RUN = r"""
require 'json'
require 'puppet_pal'
folder, modules, words = ARGV
Puppet.initialize_settings(["--confdir=#{folder}", "--vardir=#{folder}"])
Puppet[:tasks] = true
row = ->(target) { { 'target' => target, 'web' => { 'state' => target == 'three' ? 'finish' : 'up', 'seconds' => 9 } } }
told = []
bolts = {
  'get_targets' => ->(names) { names },
  'run_task' => ->(task, targets, with) { (told << [task, with['action'], *targets]) && targets.map(&row) },
  'ctrl::sleep' => ->(seconds) { told << ['sleep', seconds] },
  'target' => ->(result) { result['target'] }, 'name' => ->(target) { target },
  'fail_plan' => ->(message, kind) { raise "#{kind}: #{message}" }
}
Puppet::Pal.in_tmp_environment('bolt', modulepath: [modules], facts: {}) do |pal|
  pal.with_script_compiler do |compiler|
    compiler.evaluate_string('type TargetSpec = Variant[String[1], Array[TargetSpec]]')
    loaders = Puppet.lookup(:loaders)
    everywhere = loaders.puppet_system_loader
    bolts.each do |name, body|
      function = Puppet::Functions.create_loaded_function(name.to_sym, everywhere) do
        dispatch(:called) { repeated_param 'Any', :words }
        define_method(:called) { |*given| body.call(*given) }
      end
      everywhere.set_entry(Puppet::Pops::Loader::TypedName.new(:function, name), function.new({}, everywhere), nil)
    end
    plan = loaders.private_environment_loader.load(:plan, 'runit::rolling_restart')
    ended = begin
      plan.class.dispatcher.dispatchers[0].call_by_name(JSON.parse(words), true) && nil
    rescue Puppet::Error => e
      e.message[/runit\/.*? on \w+/]
    end
    puts JSON.generate([told, ended])
  end
end
"""
CALLS: dict[tuple[str, str], dict[str, Any]] = {
    ("plan", "runit::rolling_restart"): {
        "targets": ["one", "two"],
        "service": "web",
        "user": "apprun1",
        "directory": "/srv",
        "settle": 0,
    },
    ("task", "runit::sv"): {"action": "restart", "service": "web", "user": "apprun1", "directory": "/srv/tree", "wait": 30},
    ("task", "runit::status"): {"service": "web", "user": "apprun1", "directory": "/srv/tree"},
}
REFUSED = [
    (("plan", "runit::rolling_restart"), {"targets": "one"}, "expects a value for parameter 'service'"),
    (("plan", "runit::rolling_restart"), {"targets": "one", "service": "../web"}, "'service' expects a match for Runit::Name"),
    (("task", "runit::sv"), {"action": "kill", "service": "web"}, "'action' expects a match for Enum['check',"),
    (("task", "runit::sv"), {"action": "up", "service": "web", "user": "-c reboot"}, "'user' expects"),
    (("task", "runit::status"), {"servcie": "web"}, "has no parameter named 'servcie'"),
]


Evaluate = Callable[..., str]
# $1: a folder with a folder `modules`; $2: the module; $3: a root directory with Puppet 8; and then what is run there.
IN_DEBIAN_13 = """
mount --bind "$1" "$3/mnt"
mount --bind "$2" "$3/mnt/modules/runit"
root=$3
shift 3
exec chroot "$root" "$@"
"""


@pytest.fixture(params=["7", "8"] if os.environ.get("HARNESS") == "all" else ["7"])
def evaluate(request: pytest.FixtureRequest, tmp_path: Path) -> Evaluate:
    """Run a script by Puppet's ruby, with a folder, its modules and more arguments; in a whole run by Puppet 8's too."""
    if request.param == "7":
        before, folder = [oracle.program("ruby", package="puppet-agent")], tmp_path
        oracle.program("puppet", package="puppet-agent")
        (tmp_path / "modules").mkdir()
        (tmp_path / "modules/runit").symlink_to(MODULE)
    else:
        if not (DEBIAN_13 / "usr/bin/puppet").exists():
            oracle.absent(f"no Puppet 8 in {DEBIAN_13} (.ci/run --all makes it)")
        places = [str(place) for place in (tmp_path, MODULE, DEBIAN_13)]
        before, folder = ["unshare", "--mount", "sh", "-ec", IN_DEBIAN_13, "sh", *places, "ruby"], Path("/mnt")
        (tmp_path / "modules/runit").mkdir(parents=True)

    def run(script: str, *arguments: str) -> str:
        words = ["-W0", "-e", script, str(folder), str(folder / "modules"), *arguments]
        done = subprocess.run([*before, *words], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return run


def test_every_parameter_is_taken_and_wrong_ones_are_refused_before_anything_runs(evaluate: Evaluate) -> None:
    """Of all in one evaluator, which takes longer to start than to judge."""
    taken = list(CALLS.items())
    said = json.loads(evaluate(JUDGE, json.dumps([*taken, *((call, words) for call, words, _ in REFUSED)])))
    assert said[: len(taken)] == [""] * len(taken)
    for (call, words, problem), answer in zip(REFUSED, said[len(taken) :], strict=True):
        assert problem in answer, (call, words)


def test_the_plan_restarts_some_at_a_time_and_the_next_ones_only_when_these_stay_up(evaluate: Evaluate) -> None:
    words: dict[str, Any] = {"targets": ["one", "two", "three", "four", "five"], "service": "web", "at_once": 2, "settle": 3}

    def step(*targets: str) -> list[list[Any]]:
        asked: list[list[Any]] = [["runit::sv", "restart", *targets], ["sleep", 3], ["runit::sv", "check", *targets]]
        return [*asked, ["runit::status", None, *targets]]

    told, ended = json.loads(evaluate(RUN, json.dumps(words)))
    assert told == [["runit::status", None, *words["targets"]], *step("one", "two"), *step("three", "four")]
    assert ended == "runit/does-not-stay-up: web does not stay up on three"

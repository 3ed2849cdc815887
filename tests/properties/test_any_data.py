"""Whatever the data are, they mean a tree or are refused with problems; nothing else ever comes out."""

from __future__ import annotations

from typing import Any

from hypothesis import event, given, settings
from hypothesis import strategies as st
from support.listing import listing
from support.world import ACCOUNTS, tree_of

from runit_provision.errors import DataError
from runit_provision.model.data import Sensitive
from runit_provision.schema.host_spec import HostSpec, UserSpec
from runit_provision.schema.log_spec import LogSpec
from runit_provision.schema.service_spec import ServiceSpec

words = st.sampled_from(
    ["prog", "a b", "$x", "", "~", "../x", "/abs/path", "never", "none", "rsvlog", "1m", "#!/bin/sh\n:\n", "\0", "a\nb", "t"]
)
scalars = st.one_of(words, st.text(max_size=5), st.integers(-2, 99999), st.booleans(), st.none(), st.floats(allow_nan=False))
values = st.recursive(
    st.one_of(scalars, scalars.map(Sensitive)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.one_of(words, st.integers(0, 3), st.booleans()), inner, max_size=3)
    ),
    max_leaves=6,
)


def part(model: Any, **nested: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Draw some keys of `model`, each with any value, or with one of its own kind where `nested` has one."""
    keys = sorted(set(model.model_fields) - set(nested))
    drawn = st.dictionaries(st.sampled_from(keys), values, max_size=3)
    own = st.fixed_dictionaries({}, optional=nested)
    return st.builds(lambda some, more: {**some, **more}, drawn, own)


names = st.one_of(st.sampled_from(["a", "b", "c"]), words)
commands = st.one_of(words, st.lists(words, min_size=1, max_size=3))
envs = st.dictionaries(st.sampled_from(["A", "B-c", "D="]), scalars, max_size=3)
logs = st.one_of(values, part(LogSpec, filters=st.lists(st.text(max_size=6), max_size=3), size=st.integers(0, 5000)))
leaves = part(ServiceSpec, command=commands, env=envs, log=logs, requires=st.lists(names, max_size=2))
services = st.dictionaries(
    names, st.one_of(leaves, part(ServiceSpec, services=st.dictionaries(names, leaves, max_size=2)), st.none()), max_size=3
)
users = st.dictionaries(
    st.sampled_from([*ACCOUNTS, "stranger"]), st.one_of(part(UserSpec, services=services, env=envs), st.none()), max_size=2
)
hosts = part(
    HostSpec, services=services, users=st.one_of(users, st.lists(st.sampled_from([*ACCOUNTS]), max_size=3), values), defaults=leaves
)


def turned(value: Any) -> Any:
    """Give the same data with the keys of every hash the other way round."""
    if isinstance(value, dict):
        return {key: turned(item) for key, item in reversed(value.items())}
    return [turned(item) for item in value] if isinstance(value, list) else value


@settings(max_examples=400)
@given(hosts)
def test_any_data_mean_a_tree_or_are_refused_with_problems(data: dict[str, Any]) -> None:
    try:
        tree = tree_of(data)
    except DataError as error:
        event("refused")
        assert error.problems
        assert all(problem.message and problem.key.startswith("runit") for problem in error.problems)
        return
    event("a tree")
    assert listing(tree) == listing(tree_of(turned(data)))
    paths = [node.path for node in tree]
    assert len(paths) == len(set(paths))
    assert all(path.startswith("/") and "/../" not in path and not path.endswith("/") for path in paths)

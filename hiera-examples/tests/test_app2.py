"""What CI asks of a node once its services are verified: pytest --connection=local --hosts=localhost tests"""

import pytest


@pytest.mark.parametrize("user", ["apprun1", "apprun2"])
def test_the_tree_of_each_user_runs(user, runit_tree):
    assert runit_tree(user).comes_up(within=60)


def test_a_tree_has_a_log(runit_log):
    assert runit_log("runsvdir-apprun1").is_running

"""A home keeps its data from one start to the next."""

from __future__ import annotations

import signal
from collections.abc import Callable

from tests.demo.tree import Tree, told_version


def test_a_second_start_keeps_the_sign_in_and_what_was_rolled_out(demo: Tree, plant: Callable[..., Tree]) -> None:
    assert demo.wait_for_rollout(demo.roll_out("gateway", "1.1.0", "1.2.0")) == "succeeded"
    status, said = demo.stop(signal.SIGHUP)
    assert (status, demo.extra) == (0, "")
    assert "Starting Redis… ok" in said

    again = plant(Tree.grown, demo.home)

    assert {**again.ready, "url": ""} == {**demo.ready, "url": ""}
    assert {told_version(one) for one in again.instances("gateway")} == {"1.2.0"}
    assert {one["version"] for one in again.instances("gateway")} == {"1.2.0"}
    # So that the home is for the next test as it was.
    assert again.wait_for_rollout(again.roll_out("gateway", "1.2.0", "1.1.0", "revert")) == "succeeded"

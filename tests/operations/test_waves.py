"""A rollout goes over its hosts wave by wave."""

from __future__ import annotations

import pytest
from flask import Flask

from deployer.domain.status import RolloutState
from deployer.operations import steps
from tests.operations.upgrades import fail, held, names, runs, start, state, strategy, succeed, take
from tests.world import World


def test_only_the_steps_of_the_current_wave_are_taken(app: Flask, world: World) -> None:
    rollout_id = start(world, strategy("1"))
    (first,) = take(rollout_id)
    assert names([first]) == ["web-1"]
    assert take(rollout_id) == []
    assert steps.waiting_rollouts() == []  # nobody is rung for what cannot be taken
    succeed(first)
    assert steps.waiting_rollouts() == [rollout_id]
    assert names(take(rollout_id)) == ["web-2"]


def test_all_hosts_are_held_from_the_start_and_each_is_free_with_its_own_end(app: Flask, world: World) -> None:
    rollout_id = start(world, strategy("2"))
    assert held() == {"web-1", "web-2", "web-3"}
    first, second = take(rollout_id)
    succeed(first)
    assert held() == {"web-2", "web-3"}
    assert take(rollout_id) == []  # the wave is not over yet
    succeed(second)
    assert held() == {"web-3"}
    succeed(*take(rollout_id))
    assert (held(), state(rollout_id)) == (set(), RolloutState.SUCCEEDED)


@pytest.mark.parametrize(
    ("waves", "expected"),
    [
        pytest.param("", [3], id="at once"),
        pytest.param("1", [1, 1, 1], id="one by one"),
        pytest.param("2", [2, 1], id="two by two"),
        pytest.param("34%", [2, 1], id="a share, rounded up"),
        pytest.param("33%", [1, 1, 1], id="a third"),
        pytest.param("9", [3], id="more than there are"),
    ],
)
def test_a_rollout_comes_to_its_end_in_so_many_waves(app: Flask, world: World, waves: str, expected: list[int]) -> None:
    rollout_id = start(world, strategy(waves))
    found = []
    while taken := take(rollout_id):
        found.append(len(taken))
        succeed(*taken)
    assert (found, state(rollout_id)) == (expected, RolloutState.SUCCEEDED)
    assert runs(world) == {"web-1": "1.2.0", "web-2": "1.2.0", "web-3": "1.2.0", "web-4": "1.0.0"}


def test_a_wave_whose_hosts_failed_is_over_too_while_the_rollout_may_lose_more(app: Flask, world: World) -> None:
    rollout_id = start(world, strategy("1", stop=3))
    fail(*take(rollout_id))
    fail(*take(rollout_id))
    succeed(*take(rollout_id))
    assert state(rollout_id) is RolloutState.FAILED


def test_several_workers_share_a_wave_and_none_takes_a_step_twice(app: Flask, world: World) -> None:
    rollout_id = start(world)
    got = [one.step_id for worker in ("a", "b", "c") for one in steps.take_steps(rollout_id, worker, 1)]
    assert len(set(got)) == len(got) == 3
    assert steps.take_steps(rollout_id, "d", 1) == []

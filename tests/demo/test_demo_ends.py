"""However the demo ends, it ends whole: no process is left, and no port."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.demo.tree import Tree


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda one: one.name)
def test_a_signal_ends_everything_in_order(demo: Tree, number: signal.Signals) -> None:
    assert len(demo.alive()) >= 19  # 13 services, the SSH servers, and what the console consists of
    assert len(demo.open_ports()) == 6

    status, said = demo.stop(number)

    assert status == 0
    assert said.endswith("Stopped.\n")
    assert demo.alive() == {}
    assert demo.open_ports() == []


def test_a_signal_while_it_sets_up_ends_everything(seeded: Path, plant: Callable[..., Tree]) -> None:
    tree = plant(Tree.plant, seeded)
    while not any("service.py" in command for command in tree.alive().values()):
        assert tree.process.poll() is None
    status, said = tree.stop()

    assert status == 0
    assert "Traceback" not in said
    assert tree.gone()


@pytest.mark.parametrize(
    ("name", "word"),
    [("web", "gunicorn"), ("worker", "deployer worker"), ("Redis", "unixsocket"), ("SSH", "demo.sshd")],
)
def test_the_death_of_any_child_ends_everything_and_is_named(demo: Tree, name: str, word: str) -> None:
    os.kill(demo.pid_of(word), signal.SIGKILL)

    status, said = demo.end()

    assert status == 1
    assert f"The {name} process ended unexpectedly (killed by SIGKILL)" in said
    assert f"{demo.home / 'log' / name.lower()}.log" in said
    assert demo.alive() == {}
    assert demo.open_ports() == []


def test_killing_the_supervisor_in_the_middle_of_a_rollout_leaves_nothing(
    tmp_path: Path, plant: Callable[..., Tree]
) -> None:
    demo = plant(Tree.grown, tmp_path / "home")
    # 1.3.0 never gets healthy, so this rollout is at work for some seconds, in a forked work-horse: on the local host
    # and on those behind SSH.
    demo.roll_out("gateway", "1.1.0", "1.3.0")
    while len([one for one in demo.alive().values() if "gateway/releases/1.3.0/service.py" in one]) < 3:
        assert demo.process.poll() is None

    status, _ = demo.stop(signal.SIGKILL)

    assert status == -signal.SIGKILL
    assert demo.gone()
    assert demo.open_ports() == []

"""What is made of a host whose worker was lost: a service that serves, and a link that tells the truth."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from dataclasses import replace

import pytest

from deployer.domain.recipe import Probe
from deployer.domain.release import Task
from deployer.jobs.deploy import Outcome, Phase
from deployer.jobs.recover import recover
from tests.remote.conftest import Host, Notes


@pytest.fixture
def installed(host: Host) -> Host:
    """1.0.0 and 1.1.0 are on the host; 1.1.0 runs."""
    host.install("1.0.0")
    host.install("1.1.0")
    return host


def recovered(host: Host, task: Task) -> Outcome:
    host.notes = Notes()
    return asyncio.run(recover(host.runner, host.recipe, task, host.notes)).outcome


def point_at(host: Host, target: str) -> None:
    (host.root / "current").unlink()
    (host.root / "current").symlink_to(target)


def test_a_target_that_serves_is_what_current_names_afterwards(installed: Host) -> None:
    point_at(installed, "releases/1.0.0")
    outcome = recovered(installed, replace(installed.task("1.1.0"), from_version="1.0.0"))
    assert (outcome.ok, outcome.running, installed.current()) == (True, "1.1.0", "releases/1.1.0")
    assert "current named releases/1.0.0 while 1.1.0 runs; it names releases/1.1.0 again." in installed.notes.lines


def test_current_goes_back_to_what_runs_and_not_to_what_was_recorded(installed: Host) -> None:
    installed.deploy(replace(installed.task("1.2.0"), from_version="1.1.0"))
    point_at(installed, "releases/1.0.0")
    outcome = recovered(installed, replace(installed.task("1.0.0"), from_version="1.1.0"))
    assert (outcome.ok, outcome.running, installed.current()) == (False, "1.2.0", "releases/1.2.0")
    assert installed.version() == "1.2.0"


def test_a_link_is_not_pointed_at_a_release_that_is_not_on_the_host(installed: Host) -> None:
    point_at(installed, "releases/1.0.0")
    (installed.root / "releases" / "1.1.0").rename(installed.root / "moved")
    outcome = recovered(installed, replace(installed.task("1.0.0"), from_version="1.1.0"))
    assert (outcome.ok, outcome.running, installed.current()) == (False, "1.1.0", "releases/1.0.0")
    assert "releases/1.1.0 is not on this host." in installed.notes.text


def test_a_link_made_by_hand_is_left_alone(installed: Host) -> None:
    point_at(installed, str(installed.root / "releases" / "1.0.0"))
    recovered(installed, replace(installed.task("1.2.0"), from_version="1.1.0"))
    assert installed.current() == str(installed.root / "releases" / "1.0.0")


def test_an_unhealthy_target_is_taken_back_even_when_the_link_went_back_already(installed: Host) -> None:
    (installed.root / "current" / "behaviour").write_text("unhealthy")
    installed.deploy(installed.task("1.1.0"))  # again, so that it misbehaves
    point_at(installed, "releases/1.0.0")
    outcome = recovered(installed, replace(installed.task("1.1.0"), from_version="1.0.0"))
    assert (outcome.ok, outcome.running, installed.current()) == (False, "1.0.0", "releases/1.0.0")
    assert "The previous release 1.0.0 was restored." in outcome.reason
    assert installed.version() == "1.0.0"


def test_a_target_that_does_not_run_any_more_is_taken_back(installed: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deployer.jobs.recover.PROBE_SECONDS", 0.5)
    os.kill(installed.pid(), signal.SIGKILL)
    outcome = recovered(installed, replace(installed.task("1.1.0"), from_version="1.0.0"))
    assert (outcome.ok, outcome.running, installed.current()) == (False, "1.0.0", "releases/1.0.0")


def test_a_probe_that_hangs_does_not_hold_the_recovery_up(installed: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deployer.jobs.recover.PROBE_SECONDS", 0.5)
    installed.recipe = replace(installed.recipe, probe=Probe("command", "", ("sleep", "100")))
    began = time.monotonic()
    outcome = recovered(installed, replace(installed.task("1.2.0"), from_version="1.1.0"))
    assert (outcome.ok, outcome.running, outcome.phase) == (False, None, Phase.RECOVERING)
    assert time.monotonic() - began < 8

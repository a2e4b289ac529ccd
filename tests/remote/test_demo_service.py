"""The demo's artifacts and the little service in them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from deployer.demo.artifacts import build_artifact
from deployer.demo.services import wait_for_end
from deployer.jobs.deploy import Phase
from tests.remote.conftest import RECIPE, Host, ended

IMPATIENT = "import sys; sys.path.insert(0, '.'); import restart; restart.PATIENCE = 0.3; restart.main()"


def test_a_demo_service_does_not_start_when_nobody_holds_its_lifeline(tmp_path: Path, port: int) -> None:
    home = tmp_path / "abandoned"
    (home / "hosts" / "host-1").mkdir(parents=True)
    os.mkfifo(home / "lifeline")
    host = Host(home, port)
    assert host.deploy(host.task("1.0.0")).phase is Phase.RESTARTING
    assert "orders 1.0.0: the demo is not running, so this service ends." in host.notes.lines


def test_a_demo_service_does_not_outlive_a_killed_holder_of_its_lifeline(tmp_path: Path, port: int) -> None:
    home = tmp_path / "another"
    (home / "hosts" / "host-1").mkdir(parents=True)
    os.mkfifo(home / "lifeline")
    writer = os.open(home / "lifeline", os.O_RDWR)
    host = Host(home, port)
    host.install("1.0.0")
    pid = host.pid()
    assert not ended(pid)
    os.close(writer)
    until = time.monotonic() + 5
    while not ended(pid) and time.monotonic() < until:
        time.sleep(0.05)
    assert ended(pid)
    assert host.version() is None


def test_a_process_that_does_not_hold_the_lock_is_never_signalled(host: Host) -> None:
    host.install("1.0.0")
    service = host.pid()
    with subprocess.Popen(["sleep", "100"]) as innocent:
        try:
            (host.root / "run" / "service.pid").write_text(f"{innocent.pid}\n")
            host.recipe = replace(RECIPE, restart=(sys.executable, "-c", IMPATIENT))
            outcome = host.deploy(host.task("1.1.0"))
            assert "run/service.pid does not name the process that holds its lock" in outcome.reason
            assert innocent.poll() is None
            assert not ended(service)
            wait_for_end(host.directory.parent)
            assert innocent.poll() is None
        finally:
            innocent.kill()


def test_a_service_that_does_not_end_with_its_demo_is_killed(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deployer.demo.services.PATIENCE", 0.3)
    host.install("1.0.0")
    wait_for_end(host.directory.parent)
    until = time.monotonic() + 5
    while not ended(host.pid()) and time.monotonic() < until:
        time.sleep(0.05)
    assert ended(host.pid())


def test_the_same_demo_artifact_is_the_same_archive(tmp_path: Path) -> None:
    first = build_artifact(tmp_path, "orders", "1.0.0", "ok")
    content = first.path.read_bytes()
    assert build_artifact(tmp_path, "orders", "1.0.0", "ok") == first
    assert first.path.read_bytes() == content
    with pytest.raises(ValueError, match="sleepy"):
        build_artifact(tmp_path, "orders", "1.0.0", "sleepy")

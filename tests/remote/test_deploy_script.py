"""A deployment by the team's own commands, and the checks that follow it."""

from __future__ import annotations

import asyncio
import hashlib
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from deployer.domain.recipe import HealthCheck, ScriptRecipe
from deployer.domain.release import Task
from deployer.jobs.deploy import Outcome, Phase, deploy, probe
from deployer.remote.local import LocalRunner
from tests.remote.conftest import Notes

# The "host" runs whatever version its file says.
RECIPE = ScriptRecipe(
    deploy=("sh", "-c", 'echo "deploying $DEPLOYER_VERSION"; echo "$DEPLOYER_VERSION" >"$HOME/running"'),
    probe=("sh", "-c", 'echo asking; cat "$HOME/running"; echo'),
    timeout=10,
    health=HealthCheck("none", "", (), 0.5),
)


@pytest.fixture
def task(tmp_path: Path) -> Task:
    (tmp_path / "running").write_text("1.0.0\n")
    return Task("billing", "host-1", "127.0.0.9", 8000, str(tmp_path), "1.0.0", "1.1.0", None, None)


def run(recipe: ScriptRecipe, task: Task, notes: Notes) -> Outcome:
    return asyncio.run(deploy(LocalRunner(task.address, task.directory), recipe, task, notes))


def test_the_version_is_the_last_line_that_the_probe_command_prints(task: Task, notes: Notes) -> None:
    assert run(RECIPE, task, notes) == Outcome(True, "1.1.0", "", Phase.DONE)
    assert notes.phases == [Phase.DEPLOYING, Phase.PROBING, Phase.DONE]
    assert notes.lines == ["deploying 1.1.0"]


def test_a_deploy_command_that_fails_is_reported_with_what_runs(task: Task, notes: Notes) -> None:
    outcome = run(replace(RECIPE, deploy=("sh", "-c", "echo no space left >&2; exit 7")), task, notes)
    reason = "Deploy command failed: the command ended with status 7: no space left."
    assert outcome == Outcome(False, "1.0.0", reason, Phase.DEPLOYING, "command failed")
    assert notes.lines == ["no space left", reason]


def test_a_deploy_command_that_changes_nothing_is_not_believed(task: Task, notes: Notes) -> None:
    outcome = run(replace(RECIPE, deploy=("true",)), task, notes)
    assert (outcome.ok, outcome.running, outcome.phase) == (False, "1.0.0", Phase.PROBING)
    assert "the service answers with version 1.0.0 instead of 1.1.0" in outcome.reason


def test_a_deploy_command_is_stopped_at_its_deadline(task: Task, notes: Notes) -> None:
    outcome = run(replace(RECIPE, deploy=("sleep", "100"), timeout=0.3), task, notes)
    assert outcome.reason == "Deploy command failed: the command took too long and was stopped."
    assert "The command was stopped: it took longer than 0.3 s." in notes.lines


def test_a_program_that_is_not_there_is_named(task: Task, notes: Notes) -> None:
    outcome = run(replace(RECIPE, deploy=("deploy-billing",)), task, notes)
    assert outcome.reason.startswith("Deploy command failed: The program deploy-billing is not on the host.")


@pytest.mark.parametrize(
    "text", ["exit 1", "echo 'not a version'", "true", "echo $(printf 'x%.0s' $(seq 65))", "sleep 9"]
)
def test_a_probe_that_gives_no_version_gives_none(text: str, task: Task) -> None:
    recipe = replace(RECIPE, probe=("sh", "-c", text))
    found = asyncio.run(probe(LocalRunner(task.address, task.directory), recipe, task, seconds=1))
    assert found is None


def test_the_archive_is_verified_and_its_place_told_to_the_deploy_command(
    task: Task, notes: Notes, tmp_path: Path
) -> None:
    artifact = tmp_path / "billing.bin"
    artifact.write_bytes(b"any format")
    sha256 = hashlib.sha256(b"any format").hexdigest()
    copying = replace(RECIPE, deploy=("sh", "-c", 'cp "$DEPLOYER_ARTIFACT" "$HOME/got"; echo 1.1.0 >"$HOME/running"'))
    assert run(copying, replace(task, artifact=artifact, sha256=sha256), notes).ok
    assert (tmp_path / "got").read_bytes() == b"any format"
    outcome = run(copying, replace(task, artifact=artifact, sha256="f" * 64, to_version="1.2.0"), notes)
    assert (outcome.phase, outcome.running) == (Phase.VERIFYING, "1.1.0")


@pytest.fixture
def listening() -> Iterator[int]:
    with socket.create_server(("127.0.0.9", 0)) as server:
        yield server.getsockname()[1]


def test_a_port_that_takes_connections_is_healthy(task: Task, notes: Notes, listening: int) -> None:
    tcp = replace(RECIPE, health=HealthCheck("tcp", "", (), 1))
    assert run(tcp, replace(task, port=listening), notes).ok


def test_a_port_that_takes_none_is_not(task: Task, notes: Notes) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.9", 0))
        port = taken.getsockname()[1]
        outcome = run(replace(RECIPE, health=HealthCheck("tcp", "", (), 0.5)), replace(task, port=port), notes)
    assert outcome.reason == (
        f"Health check failed: Port {port} does not take connections: Connection refused (tried for 0.5 s)."
    )
    assert (outcome.phase, outcome.running) == (Phase.HEALTH, "1.1.0")


def test_a_health_command_is_repeated_until_it_succeeds(task: Task, notes: Notes) -> None:
    third_time = 'echo x >>"$HOME/tries"; test "$(wc -l <"$HOME/tries")" -ge 3'
    recipe = replace(RECIPE, health=HealthCheck("command", "", ("sh", "-c", third_time), 10))
    assert run(recipe, task, notes).ok
    assert notes.lines.count("the command ended with status 1") == 1


def test_a_service_that_needs_time_to_answer_with_its_new_version_gets_it(task: Task, notes: Notes) -> None:
    slowly = '(sleep 0.6; echo "$DEPLOYER_VERSION" >"$HOME/running") >/dev/null 2>&1 &'
    recipe = replace(RECIPE, deploy=("sh", "-c", slowly), health=HealthCheck("none", "", (), 10))
    assert run(recipe, task, notes).ok

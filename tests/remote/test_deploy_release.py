"""A release, deployed for real: a real archive, a real process, and a version asked over HTTP."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace

import pytest

from deployer.jobs.deploy import Outcome, Phase, deploy, probe
from deployer.jobs.fetch import FetchFailed
from tests.remote.conftest import ADDRESS, RECIPE, Host, ended


def test_the_first_release_is_installed_and_answers(host: Host) -> None:
    outcome = host.deploy(host.task("1.0.0"))
    assert outcome == Outcome(True, "1.0.0", "", Phase.DONE)
    assert host.version() == "1.0.0"
    assert host.current() == "releases/1.0.0"
    assert host.notes.phases == [
        Phase.PREPARING,
        Phase.SENDING,
        Phase.UNPACKING,
        Phase.SWITCHING,
        Phase.RESTARTING,
        Phase.HEALTH,
        Phase.PROBING,
        Phase.PRUNING,
        Phase.DONE,
    ]
    assert not (host.root / "incoming").exists()


def test_an_upgrade_replaces_the_process_and_the_new_version_answers(host: Host) -> None:
    host.install("1.0.0")
    old = host.pid()
    host.install("1.1.0")
    assert host.version() == "1.1.0"
    assert host.pid() != old
    assert ended(old)
    assert host.current() == "releases/1.1.0"


def test_a_revert_to_a_kept_release_needs_no_archive(host: Host) -> None:
    host.install("1.0.0")
    host.install("1.1.0")
    kept = replace(host.task("1.0.0"), artifact=None)
    assert host.deploy(kept).ok
    assert Phase.SENDING not in host.notes.phases
    assert host.version() == "1.0.0"


async def unavailable() -> None:
    raise FetchFailed("The artifact could not be fetched.")


def test_a_kept_release_needs_no_artifact_from_anywhere(host: Host) -> None:
    host.install("1.0.0")
    host.install("1.1.0")
    task = host.task("1.0.0")
    assert host.deploy(replace(task, artifact=host.home / "not there"), unavailable).ok
    assert Phase.FETCHING not in host.notes.phases
    assert host.version() == "1.0.0"


def test_an_artifact_is_fetched_once_the_host_lacks_the_release(host: Host) -> None:
    task = host.task("1.0.0")
    assert task.artifact is not None
    there, elsewhere = task.artifact, host.home / "elsewhere"
    there.rename(elsewhere)

    async def bring() -> None:
        elsewhere.rename(there)

    assert host.deploy(task, bring).ok
    assert host.notes.phases[:3] == [Phase.PREPARING, Phase.FETCHING, Phase.SENDING]


def test_an_artifact_that_is_not_to_be_had_touches_nothing(host: Host) -> None:
    host.install("1.0.0")
    outcome = host.deploy(host.task("1.1.0"), unavailable)
    assert outcome == Outcome(
        False,
        "1.0.0",
        "Fetching the artifact failed: The artifact could not be fetched. The release in use was not touched.",
        Phase.FETCHING,
        "artifact not fetched",
    )
    assert host.releases() == {"1.0.0"}


def test_a_kept_release_of_another_archive_is_unpacked_again(host: Host) -> None:
    host.install("1.0.0")
    host.deploy(host.task("1.1.0", "unhealthy"))
    assert host.current() == "releases/1.0.0"
    assert host.deploy(host.task("1.1.0")).ok
    assert Phase.UNPACKING in host.notes.phases
    assert host.version() == "1.1.0"


def test_the_same_deployment_twice_ends_in_the_same_place(host: Host) -> None:
    host.install("1.0.0")
    task = host.task("1.1.0")
    assert host.deploy(task).ok
    assert host.deploy(task) == Outcome(True, "1.1.0", "", Phase.DONE)
    assert host.version() == "1.1.0"


def test_an_unhealthy_release_is_replaced_by_the_one_before_it(host: Host) -> None:
    host.install("1.0.0")
    outcome = host.deploy(host.task("1.1.0", "unhealthy"))
    assert outcome == Outcome(
        False,
        "1.0.0",
        "Health check failed: GET /healthz answered 500 (tried for 1.5 s). The previous release 1.0.0 was restored.",
        Phase.HEALTH,
        "health check failed",
    )
    assert host.version() == "1.0.0"
    assert host.current() == "releases/1.0.0"
    assert Phase.RESTORING in host.notes.phases


def test_a_release_that_crashes_is_replaced_and_its_last_words_are_in_the_log(host: Host) -> None:
    host.install("1.0.0")
    outcome = host.deploy(host.task("1.1.0", "crash"))
    assert (outcome.ok, outcome.running, outcome.phase) == (False, "1.0.0", Phase.RESTARTING)
    assert outcome.reason.startswith("Restart failed: the command ended with status 1: The service ended at once")
    assert outcome.reason.endswith("The previous release 1.0.0 was restored.")
    assert "RuntimeError: the setting PAYMENT_GATEWAY_URL is missing" in host.notes.lines
    assert host.version() == "1.0.0"


def test_a_release_that_answers_with_another_version_is_replaced(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deployer.jobs.work.PROBE_SECONDS", 0.5)
    host.install("1.0.0")
    mislabelled = replace(host.task("1.1.0"), to_version="1.2.0")
    outcome = host.deploy(mislabelled)
    assert outcome.reason == (
        "Version check failed: the service answers with version 1.1.0 instead of 1.2.0 (tried for 0.5 s)."
        " The previous release 1.0.0 was restored."
    )
    assert outcome.running == "1.0.0"
    assert host.version() == "1.0.0"


def test_a_first_release_that_fails_cannot_be_restored_and_says_so(host: Host) -> None:
    host.running = "0.9.0"
    outcome = host.deploy(host.task("1.0.0", "crash"))
    assert (outcome.ok, outcome.running) == (False, None)
    assert outcome.reason.endswith(
        "Version 0.9.0 was not installed by Deployer on this host, so it could not be restored."
    )


def test_a_restore_that_fails_too_says_both(host: Host) -> None:
    host.install("1.0.0")
    (host.root / "releases" / "1.0.0" / "behaviour").write_text("crash")
    outcome = host.deploy(host.task("1.1.0", "unhealthy"))
    assert (outcome.ok, outcome.running, outcome.phase) == (False, None, Phase.HEALTH)
    assert "Health check failed: GET /healthz answered 500" in outcome.reason
    assert "Restoring release 1.0.0 did not work either: Restart failed" in outcome.reason


def test_an_attempt_after_one_that_died_after_the_switch_still_restores_the_origin(host: Host) -> None:
    host.install("1.0.0")
    task = host.task("1.1.0", "unhealthy")
    host.recipe = replace(RECIPE, restart=("sleep", "100"))

    async def die() -> None:
        work = asyncio.create_task(deploy(host.runner, host.recipe, task, host.notes))
        while host.current() != "releases/1.1.0":  # noqa: ASYNC110 (the switch is made by another process)
            await asyncio.sleep(0.02)
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)

    asyncio.run(die())
    host.recipe = RECIPE
    outcome = host.deploy(task)
    assert (outcome.ok, outcome.running) == (False, "1.0.0")
    assert "release 1.0.0 was restored" in outcome.reason


def test_the_restart_command_is_told_what_it_restarts(host: Host) -> None:
    host.run_nothing()
    host.install("1.0.0")
    host.recipe = replace(host.recipe, restart=("sh", "-c", "env | grep ^DEPLOYER_; pwd -P"))
    host.install("1.1.0")
    told = dict(line.split("=", 1) for line in host.notes.lines if line.startswith("DEPLOYER_"))
    assert told == {
        "DEPLOYER_ACTION": "restart",
        "DEPLOYER_SERVICE": "orders",
        "DEPLOYER_VERSION": "1.1.0",
        "DEPLOYER_FROM_VERSION": "1.0.0",
        "DEPLOYER_ARTIFACT": str(host.root / "incoming" / "1.1.0.archive"),
        "DEPLOYER_HOST": "host-1",
        "DEPLOYER_ADDRESS": ADDRESS,
        "DEPLOYER_PORT": str(host.port),
        "DEPLOYER_ROOT": str(host.root),
    }
    assert str((host.root / "releases" / "1.1.0").resolve()) in host.notes.lines


def test_a_restart_that_hangs_is_stopped_and_the_release_before_is_restored(host: Host) -> None:
    host.install("1.0.0")
    host.recipe = replace(
        RECIPE,
        restart=("sh", "-c", f"grep -q 1.0.0 VERSION || sleep 100; {sys.executable} restart.py"),
        restart_timeout=1.5,
    )
    outcome = host.deploy(host.task("1.1.0"))
    assert outcome.reason.startswith("Restart failed: the command took too long and was stopped.")
    assert outcome.running == host.version() == "1.0.0"


def test_probing_a_host_where_nothing_runs_finds_nothing(host: Host) -> None:
    assert asyncio.run(probe(host.runner, RECIPE, host.task("1.0.0"))) is None

"""What a worker wrote down about a failure is told in the reader's language; a program's own words stay."""

from __future__ import annotations

import re

import pytest
from flask_babel import force_locale

from deployer.jobs.work import Failed, Phase
from deployer.remote.runner import CommandResult, ProgramMissing
from deployer.web.causes import cause
from tests.world import World

SAID = CommandResult(1, False, "OSError: 端口\n", ())
SILENT = CommandResult(3, False, "", ())
SLOW = CommandResult(None, True, "", ())
LOST = CommandResult(None, False, "", ())
AFTERWARDS = (
    "",
    " The release in use was not touched.",
    " The previous release 1.1.0 was restored.",
    f" Restoring release 1.1.0 did not work either: {Failed(Phase.RESTARTING, SLOW.failure)}",
    " Version 1.0.0 was not installed by Deployer on this host, so it could not be restored.",
    " What ran before was not installed by Deployer on this host, so it could not be restored.",
    " The host runs a version that is not recorded here: 9.9",
)
CAUSES = (
    SAID.failure,
    SILENT.failure,
    SLOW.failure,
    LOST.failure,
    "GET /healthz answered 500 (tried for 6 s)",
    "Connecting to port 8000 took longer than 5 s (tried for 6 s)",
    "the service answers with version 1.0.0 instead of 1.1.0",
    str(ProgramMissing("systemctl")),
)
OURS = re.compile(r"\b(GET|OSError|s|systemctl|Deployer|healthz)\b")  # names and units, which no language changes
FAILING = [phase for phase in Phase if phase not in (Phase.DONE, Phase.RESTORING, Phase.PRUNING)]


def english(text: str) -> list[str]:
    return re.findall(r"[A-Za-z]{2,}", OURS.sub("", text))


@pytest.mark.parametrize("phase", FAILING, ids=lambda phase: phase.name.lower())
def test_every_phase_and_every_cause_is_told_in_chinese(shared_world: World, phase: Phase) -> None:
    with force_locale("zh"):
        for why in CAUSES:
            for afterwards in AFTERWARDS:
                told = cause(f"{Failed(phase, why)}{afterwards}")
                assert english(told) == [], told


def test_in_english_it_stays_as_it_was_written(shared_world: World) -> None:
    text = f"{Failed(Phase.HEALTH, SAID.failure)} The previous release 1.1.0 was restored."
    with force_locale("en"):
        assert cause(text) == text


def test_what_is_not_known_stays(shared_world: World) -> None:
    with force_locale("zh"):
        assert cause("Segmentation fault\nat 0x0") == "Segmentation fault\nat 0x0"
        told = cause(str(Failed(Phase.DEPLOYING, CommandResult(1, False, "It is 100%(sure)s broken", ()).failure)))
        assert "It is 100%(sure)s broken" in told

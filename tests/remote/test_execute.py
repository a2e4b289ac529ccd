"""A step that cannot even begin ends as a failed step with a reason, and never as an exception."""

from __future__ import annotations

import asyncio
import functools
from pathlib import Path
from typing import cast

import pytest

from deployer.domain.recipe import dump_recipe
from deployer.domain.status import Action, Reach
from deployer.jobs.execute import Errand, ask_what_is_left, execute
from deployer.jobs.fetch import Store
from deployer.jobs.ways import Ways
from deployer.operations.places import Place
from deployer.operations.steps import Settlement, TakenStep
from deployer.remote.ssh import SshHosts
from tests.remote.conftest import RECIPE, Notes


async def offer(host_id: int, key: str) -> None:
    raise AssertionError("no host is reached here")


TO = Ways(Path("/nowhere"), SshHosts(), offer).to
EITHER = pytest.mark.parametrize(
    "work",
    [functools.partial(execute, TO, Store(Path("/nowhere"))), functools.partial(ask_what_is_left, TO)],
    ids=["execute", "ask"],
)


def taken(tmp_path: Path, reach: Reach, recipe: dict[str, object]) -> TakenStep:
    place = Place(1, 1, "orders", recipe, "host-1", "127.0.0.9", reach, str(tmp_path), 1)
    return TakenStep(1, 1, 1, Action.UPGRADE, "ann", place, "1.0.0", "1.1.0", None, "")


@EITHER
def test_a_host_that_this_worker_cannot_reach_fails_its_step_and_says_what_to_do(
    work: Errand, tmp_path: Path, notes: Notes
) -> None:
    end = asyncio.run(work(taken(tmp_path, cast(Reach, "carrier pigeon"), dump_recipe(RECIPE)), notes))
    reason = (
        "This worker knows no way to reach host-1 (carrier pigeon)."
        " Start workers of the same Deployer release as the web process, then try again."
    )
    assert end == Settlement(False, None, reason, kind="failed")
    assert notes.lines == [reason]


@EITHER
def test_a_recipe_that_cannot_be_read_fails_its_step(work: Errand, tmp_path: Path, notes: Notes) -> None:
    end = asyncio.run(work(taken(tmp_path, Reach.LOCAL, {"kind": "unheard of"}), notes))
    assert (end.ok, end.running) == (False, None)
    assert "Deployer itself failed" in end.error

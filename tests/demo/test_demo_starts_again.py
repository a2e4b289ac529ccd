"""A home keeps its data from one start to the next."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

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


def test_services_that_do_not_start_again_are_named_with_their_logs(seeded: Path, plant: Callable[..., Tree]) -> None:
    missing, broken = (seeded / "hosts" / hostname / "billing" for hostname in ("demo-1", "demo-2"))
    (missing / "current").rename(missing / "away")
    (broken / "current" / "behaviour").write_text("crash\n")
    try:
        tree = plant(Tree.grown, seeded)
        status, said = tree.stop()
    finally:
        (missing / "away").rename(missing / "current")
        (broken / "current" / "behaviour").write_text("ok\n")

    assert status == 0
    told = sorted(line for line in said.splitlines() if "did not start" in line)
    assert len(told) == 2
    assert "billing 1.0.0 on demo-2: " in told[0]
    assert "PAYMENT_GATEWAY_URL is missing" in told[0]
    assert told[0].endswith(f"Its log is {broken / 'log' / 'service.log'}.")
    assert told[1].endswith("did not start: billing on demo-1: no release is there")

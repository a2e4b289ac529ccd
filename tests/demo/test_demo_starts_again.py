"""A home keeps its data from one start to the next."""

from __future__ import annotations

import contextlib
import shutil
import signal
import socket
import sqlite3
from collections.abc import Callable
from pathlib import Path

from deployer.demo import machines
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


def test_a_host_whose_ssh_port_is_taken_gets_another_one(seeded: Path, plant: Callable[..., Tree]) -> None:
    kept = {one.hostname: one for one in machines.kept(seeded)}
    with socket.create_server((kept["demo-1"].address, kept["demo-1"].port)):
        tree = plant(Tree.grown, seeded)
        hosts = tree.hosts()
        found = tree.checked("demo-1")

    assert found["cause"] == ""
    assert hosts["demo-1"]["ssh_port"] != kept["demo-1"].port
    assert hosts["demo-2"]["ssh_port"] == kept["demo-2"].port


def test_a_host_that_others_could_reach_is_not_served(seeded: Path, plant: Callable[..., Tree]) -> None:
    tell(seeded, "UPDATE host SET address = '0.0.0.0' WHERE hostname = 'demo-1'")
    before = next(one.address for one in machines.kept(seeded) if one.hostname == "demo-1")
    try:
        tree = plant(Tree.grown, seeded)
        served = {one.hostname for one in machines.kept(seeded)}
        tree.stop()
    finally:
        tell(seeded, f"UPDATE host SET address = '{before}' WHERE hostname = 'demo-1'")

    assert served == {"demo-2", "demo-3", "demo-4", "demo-5"}


def test_a_home_of_a_release_without_ssh_goes_on_as_it_was(
    seeded: Path, tmp_path: Path, plant: Callable[..., Tree]
) -> None:
    home = tmp_path / "home"
    shutil.copytree(seeded, home, symlinks=True, ignore=shutil.ignore_patterns("lifeline", "ssh"))
    old = "reach = 'local', ssh_user = '', ssh_port = NULL, credential_id = NULL"
    tell(home, f"UPDATE host SET {old}, directory = replace(directory, '{seeded}', '{home}')")

    tree = plant(Tree.grown, home)
    assert not any("demo.sshd" in command for command in tree.alive().values())
    assert tree.wait_for_rollout(tree.roll_out("gateway", "1.1.0", "1.2.0", host="5")) == "succeeded"
    status, said = tree.stop()

    assert status == 0
    assert "The hosts of this demo are local ones" in said


def tell(home: Path, statement: str) -> None:
    with contextlib.closing(sqlite3.connect(home / "deployer.db")) as database, database:
        database.execute(statement)

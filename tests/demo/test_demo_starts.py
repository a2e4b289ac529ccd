"""`deployer demo`: what a start gives, and what keeps it from starting."""

from __future__ import annotations

import socket
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.demo.tree import Tree, told_version


@pytest.fixture(scope="module")
def shared(seeded: Path) -> Iterator[Tree]:
    """A running demo for tests that leave it as it is."""
    tree = Tree.grown(seeded)
    yield tree
    tree.fell()


def test_what_it_prints_for_a_program_is_the_way_in(shared: Tree) -> None:
    assert set(shared.ready) == {"url", "user", "password", "token"}
    assert shared.ready["url"].startswith("http://127.0.0.1:")
    assert shared.ready["user"] == "demo"
    assert len(shared.ready["password"]) >= 16


def test_every_service_answers_with_the_version_that_is_recorded(shared: Tree) -> None:
    fleet = [one for name in ("billing", "catalog", "gateway") for one in shared.instances(name)]

    assert len(fleet) == 13
    assert {told_version(one) for one in fleet} == {"1.0.0", "1.1.0"}
    assert all(told_version(one) == one["version"] for one in fleet)


def test_its_hosts_are_reached_by_ssh_but_for_one(shared: Tree) -> None:
    reached = {name: (one["reach"], one["ssh_user"], one["credential"]) for name, one in shared.hosts().items()}

    assert reached.pop("demo-6") == ("local", "", None)
    assert reached == {f"demo-{number}": ("ssh", "demo", "demo") for number in range(1, 6)}


def test_the_key_of_each_host_was_approved_by_the_demos_administrator(shared: Tree) -> None:
    for host in shared.hosts().values():
        keys = shared.call(f"/hosts/{host['id']}/keys")
        assert [one["approved_by"] for one in keys] == (["demo"] if host["reach"] == "ssh" else [])


@pytest.mark.parametrize("hostname", ["demo-1", "demo-6"])
def test_a_test_of_the_connection_finds_what_an_upgrade_needs(shared: Tree, hostname: str) -> None:
    found = shared.checked(hostname)

    assert found["cause"] == ""
    assert (found["facts"]["missing"], found["facts"]["directory"]) == ([], "writable")
    assert abs(found["facts"]["skew"]) < 1


def test_its_versions_have_every_kind_of_end(shared: Tree) -> None:
    versions = shared.call(f"/services/{shared.service('billing')}/versions?limit=50")

    assert [(one["version"], one["status_str"]) for one in reversed(versions)] == [
        ("1.0.0", "success"),
        ("1.1.0", "success"),
        ("1.2.0", "success"),
        ("1.3.0-rc1", "failed"),
        ("1.3.0", "success"),
        ("1.3.1", "success"),
        ("1.4.0", "success"),
        ("1.5.0", "building"),
    ]


def test_the_home_and_the_sign_in_are_for_their_owner_only(seeded: Path) -> None:
    assert stat.S_IMODE(seeded.stat().st_mode) == 0o700
    assert stat.S_IMODE((seeded / "demo.json").stat().st_mode) == 0o600


def test_two_demos_cannot_share_a_home(shared: Tree, plant: Callable[..., Tree]) -> None:
    status, said = plant(Tree.plant, shared.home).end()

    assert status == 1
    assert f"as process {shared.process.pid}" in said
    assert "--home" in said
    assert shared.process.poll() is None


def test_a_first_start_that_was_killed_halfway_is_made_good_by_the_next(
    tmp_path: Path, plant: Callable[..., Tree]
) -> None:
    home = tmp_path / "a home with blanks"
    halfway = plant(Tree.plant, home)
    while not list(home.glob("hosts/*/*/run/service.pid")):
        assert halfway.process.poll() is None
        time.sleep(0.01)
    halfway.process.kill()
    halfway.end()
    assert halfway.gone()
    assert not (home / "deployer.db").exists()

    again = plant(Tree.grown, home)
    assert {told_version(one) for one in again.instances("billing")} == {"1.0.0", "1.1.0"}


def test_a_database_that_is_not_the_demos_is_left_as_it_is(tmp_path: Path, plant: Callable[..., Tree]) -> None:
    with sqlite3.connect(tmp_path / "deployer.db") as database:
        database.execute("CREATE TABLE mine (id INTEGER)")
    database.close()
    before = (tmp_path / "deployer.db").read_bytes()
    status, said = plant(Tree.plant, tmp_path).end()

    assert status == 1
    assert "not the demo's" in said
    assert (tmp_path / "deployer.db").read_bytes() == before


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        argv = [sys.executable, "-m", "deployer", "demo", "--port", str(port), "--home", str(tmp_path / "home")]
        ended = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)

    assert ended.returncode == 1
    assert f"Port {port} of 127.0.0.1 cannot be used" in ended.stderr
    assert ended.stdout == ""

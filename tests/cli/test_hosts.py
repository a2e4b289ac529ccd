"""Hosts from the command line."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from deployer.domain.reach import fingerprint
from tests.cli.conftest import Console
from tests.operations.test_host_keys import key

SSH = ("--address", "192.0.2.9", "--directory", "/srv/deployer", "--reach", "ssh", "--ssh-user", "deploy")


def offer(console: Console, number: int) -> str:
    """As if a worker had seen the key of db-1."""
    with closing(sqlite3.connect(console.home / "deployer.db")) as database, database:
        database.execute(
            "INSERT INTO host_key (host_id, key, fingerprint, seen, approved_by) "
            "SELECT id, ?, ?, '2026-01-01 00:00:00.000000', '' FROM host WHERE hostname = 'db-1'",
            (key(number), fingerprint(key(number))),
        )
    return fingerprint(key(number))


def test_a_host_is_added_shown_listed_changed_and_retired(stocked: Console) -> None:
    added = stocked("host", "add", "db-1", *SSH, "--labels", "db prod", "--ssh-port", "2222", "--jump", "ops@bastion")
    assert (added.exit_code, added.stderr) == (0, "")
    shown = stocked("host", "show", "db-1")
    for line in ("Address: 192.0.2.9", "SSH port: 2222", "Through the host: ops@bastion", "Labels: db prod"):
        assert line in shown.stdout.splitlines()
    assert stocked("host", "list", "--label", "db").stdout == (
        "db-1\tssh deploy@192.0.2.9:2222 via ops@bastion\tnever\t0\tdb prod\n"
    )
    edited = stocked("host", "edit", "db-1", "--address", "192.0.2.10", "--jump", "")
    assert (edited.exit_code, edited.stderr) == (0, "")
    assert "db-1\tssh deploy@192.0.2.10:2222\t" in stocked("host", "list").stdout
    assert stocked("host", "retire", "db-1").stdout == "db-1 is retired.\n"
    assert "db-1" not in stocked("host", "list").stdout
    assert "db-1" in stocked("host", "list", "--retired").stdout
    assert stocked("host", "retire", "db-1", "--back").stdout == "db-1 is back in use.\n"


def test_a_host_with_services_is_not_retired(stocked: Console) -> None:
    stocked("instance", "record", "orders", "web-1", "1.0", "--port", "80")
    before = stocked.dump()
    ended = stocked("host", "retire", "web-1")
    assert ended.exit_code == 1
    assert "orders" in ended.stderr
    assert stocked.dump() == before


def test_keys_are_listed_and_one_is_approved_by_its_fingerprint(stocked: Console) -> None:
    stocked("host", "add", "db-1", *SSH)
    ended = stocked("host", "trust", "db-1")
    assert (ended.exit_code, ended.stdout) == (1, "")
    assert "deployer host check db-1" in ended.stderr
    first = offer(stocked, 1)
    ended = stocked("host", "trust", "db-1")
    assert (ended.exit_code, ended.stdout) == (1, f"{first}\tssh-ed25519\tnot approved\n")
    assert stocked("host", "trust", "db-1", "--fingerprint", first).exit_code == 0
    second = offer(stocked, 2)
    refused = stocked("host", "trust", "db-1", "--fingerprint", second)
    assert refused.exit_code == 1
    assert refused.stderr.startswith("replace: ")
    assert stocked("host", "trust", "db-1", "--fingerprint", second, "--replace").exit_code == 0
    assert [row["fingerprint"] for row in stocked.rows("host_key")] == [second]
    assert stocked("host", "trust", "db-1", "--fingerprint", second, "--forget").exit_code == 0
    assert stocked.rows("host_key") == []


def test_bad_values_are_refused_and_change_nothing(stocked: Console) -> None:
    before = stocked.dump()
    for words, field in {
        ("host", "add", "db-1", *SSH, "--jump", "a,b"): "jump",
        ("host", "add", "db-1", *SSH, "--ssh-user", "-l"): "ssh_user",
        ("host", "add", "db-1", *SSH, "--labels", "*"): "labels",
        ("host", "add", "db-1", *SSH, "--credential", "nobody"): "credential",
        ("host", "edit", "web-1", "--ssh-user", "me"): "ssh_user",
        ("host", "edit", "nobody"): "host",
        ("host", "show", "nobody"): "host",
        ("host", "check", "nobody"): "host",
        ("host", "trust", "web-1", "--fingerprint", "SHA256:"): "fingerprint",
        ("host", "list", "--label", "*"): "label",
    }.items():
        ended = stocked(*words)
        assert ended.exit_code == 2, words
        assert ended.stderr.startswith(f"{field}: "), ended.stderr
    assert stocked.dump() == before

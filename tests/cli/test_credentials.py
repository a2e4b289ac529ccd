"""Credentials from the command line: secrets come from files and standard input, and are printed by nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from deployer import sealing
from deployer.domain.reach import Secret
from tests import secrets
from tests.cli.conftest import Console


@pytest.fixture
def published(stocked: Console) -> Console:
    """A console on whose machine a worker has run; here it was the command that publishes as well."""
    assert stocked("credential", "rotate").exit_code == 0
    return stocked


def opened(console: Console, name: str) -> Secret:
    (row,) = [row for row in console.rows("credential") if row["name"] == name]
    assert isinstance(row["sealed"], bytes)
    return sealing.held(console.home, {}).open(row["sealed"], name)


def test_a_key_is_added_from_a_file_with_its_passphrase_and_listed(published: Console, tmp_path: Path) -> None:
    file, text = tmp_path / "key", secrets.pem()
    file.write_text(text)
    ended = published(
        "credential", "add", "deploy", "--key-file", str(file), "--passphrase-stdin", stdin=f"{secrets.PASSPHRASE}\n"
    )
    assert (ended.exit_code, ended.stderr) == (0, "")
    assert opened(published, "deploy") == Secret(text, secrets.PASSPHRASE)
    listed = published("credential", "list").stdout
    assert listed.startswith("deploy\tkey\tSHA256:")
    for said in (ended.output, listed, str(published.rows("audit_entry"))):
        assert secrets.PASSPHRASE not in said
        assert text.splitlines()[1] not in said


def test_a_password_is_piped_or_typed_and_replaced(published: Console) -> None:
    first = published("credential", "add", "p", "--kind", "password", "--password-stdin", stdin="one two\n")
    assert (first.exit_code, first.stderr) == (0, "")
    assert opened(published, "p") == Secret(password="one two")
    second = published("credential", "replace", "p", "--kind", "password", stdin="three\nthree\n")
    assert second.exit_code == 0
    assert "three" not in second.output
    assert opened(published, "p") == Secret(password="three")


def test_a_rotation_makes_a_new_key_and_keeps_the_old_one(published: Console) -> None:
    published("credential", "add", "p", "--kind", "password", "--password-stdin", stdin="x")
    before = sealing.held(published.home, {})
    assert published("credential", "rotate").exit_code == 0
    after = sealing.held(published.home, {})
    assert after.publics[1:] == before.publics
    assert published.rows("sealing_key")[0]["public"] == after.publics[0]
    assert opened(published, "p") == Secret(password="x")


def test_a_rotation_where_the_key_is_not_known_names_what_has_to_be_replaced(published: Console) -> None:
    published("credential", "add", "p", "--kind", "password", "--password-stdin", stdin="x")
    (published.home / "credential.key").unlink()
    ended = published("credential", "rotate")
    assert ended.exit_code == 1
    assert "No key here opens p." in ended.stderr


def test_a_credential_goes_only_when_no_host_uses_it(published: Console) -> None:
    published("credential", "add", "f", "--kind", "file", "--path", "~/.ssh/id_ed25519")
    place = ("--address", "192.0.2.9", "--directory", "/srv", "--reach", "ssh", "--credential", "f")
    assert published("host", "add", "db-1", *place).exit_code == 0
    refused = published("credential", "remove", "f")
    assert (refused.exit_code, refused.stderr) == (
        1,
        "Hosts use this credential: db-1. Let them use another one first; retired hosts count too.\n",
    )
    published("host", "edit", "db-1", "--credential", "")
    assert published("credential", "remove", "f").exit_code == 0
    assert published.rows("credential") == []


def test_bad_values_are_refused_and_change_nothing(stocked: Console, tmp_path: Path) -> None:
    (tmp_path / "bad").write_bytes(b"\xff\x00")
    before = stocked.dump()
    for words, status, field in (
        (("add", "a b", "--kind", "file", "--path", "/x"), 2, "name: "),
        (("add", "k", "--key-file", str(tmp_path / "none")), 2, "key: "),
        (("add", "k", "--key-file", str(tmp_path / "bad")), 2, "key: "),
        (("add", "k"), 2, "key: "),
        (("add", "f", "--kind", "file"), 2, "path: "),
        (("replace", "nobody", "--kind", "file", "--path", "/x"), 2, "credential: "),
        (("remove", "nobody"), 2, "credential: "),
        (("add", "p", "--kind", "password", "--password-stdin"), 1, "No worker has published the key"),
    ):
        ended = stocked("credential", *words, stdin="x")
        assert ended.exit_code == status, (words, ended.output)
        assert ended.stderr.startswith(field), ended.stderr
    assert stocked.dump() == before
    bad = stocked("credential", "rotate", CREDENTIAL_KEYS="x")
    assert (bad.exit_code, stocked.dump()) == (1, before)

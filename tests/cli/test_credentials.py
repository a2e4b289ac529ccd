"""Credentials from the command line: secrets come from files and standard input, and are printed by nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from deployer import sealing
from deployer.app import create_app
from deployer.config import read_settings
from deployer.domain.reach import Secret
from deployer.operations import workers
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


def told(console: Console, **env: str) -> str:
    """What the doctor says of credentials."""
    lines = dict(line.split(": ", 1) for line in console("doctor", **env).stdout.splitlines())
    return lines["Credentials"]


def add_password(console: Console, name: str = "deploy") -> None:
    ended = console("credential", "add", name, "--kind", "password", "--password-stdin", stdin="s3cr3t")
    assert ended.exit_code == 0, ended.output


def test_the_doctor_makes_no_key_and_misses_none_while_nothing_is_sealed(stocked: Console) -> None:
    assert told(stocked) == "ok"
    assert not (stocked.home / "credential.key").exists()


def test_the_doctor_says_that_the_key_is_missing_and_what_to_do(published: Console) -> None:
    add_password(published)
    assert told(published) == "ok"
    (published.home / "credential.key").unlink()
    said = told(published)
    assert said.startswith(f"{published.home}/credential.key is missing, and 1 are sealed. Put its copy there")
    assert "deployer credential rotate, then deployer credential replace NAME" in said
    assert not (published.home / "credential.key").exists()


def test_the_doctor_says_that_the_key_cannot_be_used(published: Console) -> None:
    key = published.home / "credential.key"
    key.chmod(0o644)
    assert "can be read by others. Run: chmod 600" in told(published)
    key.chmod(0o600)
    key.write_text("no key\n")
    assert "is not a list of keys" in told(published)
    key.unlink()
    key.mkdir(mode=0o700)
    assert "cannot be read: Is a directory. Run deployer doctor as the worker's user" in told(published)
    assert "CREDENTIAL_KEYS is not a list of keys" in told(published, CREDENTIAL_KEYS="x")


def test_the_doctor_names_what_no_key_here_opens_and_its_advice_mends_it(published: Console) -> None:
    add_password(published)
    add_password(published, "other")
    (published.home / "credential.key").unlink()
    assert published("credential", "rotate").exit_code == 1
    said = told(published)
    assert said.startswith("No key here opens deploy, other. Give all workers the same keys")
    for name in ("deploy", "other"):
        published("credential", "replace", name, "--kind", "password", "--password-stdin", stdin="s3cr3t")
    assert told(published) == "ok"


def test_the_doctor_says_that_what_is_added_now_could_not_be_opened(published: Console) -> None:
    (published.home / "credential.key").unlink()
    sealing.held(published.home, {})
    assert told(published).startswith("The console seals for a key that is not here")
    assert published("credential", "rotate").exit_code == 0
    assert told(published) == "ok"


def test_the_doctor_names_a_key_file_that_cannot_be_read(published: Console, tmp_path: Path) -> None:
    published("credential", "add", "here", "--kind", "file", "--path", f"{tmp_path}/key")
    assert told(published).startswith(f"The key file {tmp_path}/key of here cannot be read here.")
    (tmp_path / "key").touch()
    assert told(published) == "ok"


def test_where_no_worker_runs_the_doctor_wants_no_key(published: Console) -> None:
    add_password(published)
    (published.home / "credential.key").unlink()
    with create_app(read_settings({"DEPLOYER_HOME": str(published.home)})).app_context():
        workers.beat("another-machine/0123:1", 50)
    assert told(published) == "ok"

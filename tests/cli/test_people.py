"""People and tokens from the command line."""

from __future__ import annotations

import hashlib

import pytest

from tests.cli.conftest import Console

PASSWORD = "correct horse battery"


def test_a_person_is_created_with_a_password_from_standard_input(deployer: Console) -> None:
    result = deployer("user", "create", "ann", "--role", "maintainer", "--password-stdin", stdin=PASSWORD + "\n")

    assert (result.exit_code, result.stderr) == (0, "")
    (user,) = deployer.rows("user")
    assert (user["name"], user["role"]) == ("ann", "maintainer")
    assert PASSWORD not in str(user)
    assert PASSWORD not in result.output


def test_the_password_is_asked_for_twice_and_not_shown(deployer: Console) -> None:
    result = deployer("user", "create", "ann", stdin=f"{PASSWORD}\n{PASSWORD}\n")

    assert result.exit_code == 0
    assert PASSWORD not in result.output
    assert len(deployer.rows("user")) == 1


@pytest.mark.parametrize("password", ["", "short", "x" * 1025], ids=["none", "short", "long"])
def test_a_password_that_is_too_short_or_long_is_refused(deployer: Console, password: str) -> None:
    result = deployer("user", "create", "ann", "--password-stdin", stdin=password)

    assert result.exit_code == 2
    assert result.stderr.startswith("password: ")
    assert deployer.rows("user") == []


@pytest.mark.parametrize("password", [b"\xff\xfe1234567890", b"x" * 10_000_000], ids=["no text", "huge"])
def test_a_password_of_bytes_that_cannot_be_one_is_refused(deployer: Console, password: bytes) -> None:
    result = deployer("user", "create", "ann", "--password-stdin", stdin=password)

    assert result.exit_code == 2, result.output
    assert result.stderr.startswith("password: ")
    assert deployer.rows("user") == []


def test_a_password_may_be_in_any_script(deployer: Console) -> None:
    result = deployer("user", "create", "ann", "--password-stdin", stdin="正确的马电池订书钉们".encode())

    assert (result.exit_code, result.stderr) == (0, "")


def test_a_name_that_is_taken_is_a_conflict(deployer: Console) -> None:
    deployer("user", "create", "ann", "--password-stdin", stdin=PASSWORD)
    result = deployer("user", "create", "ann", "--password-stdin", stdin=PASSWORD)

    assert result.exit_code == 1
    assert result.stderr.startswith("name: ")


def test_a_token_is_printed_once_and_kept_only_as_a_digest(deployer: Console) -> None:
    deployer("user", "create", "ann", "--password-stdin", stdin=PASSWORD)
    result = deployer("token", "create", "ann", "--scope", "deploy", "--name", "pipeline")

    assert (result.exit_code, result.stderr) == (0, "")
    secret = result.stdout.strip()
    (token,) = deployer.rows("token")
    assert (token["name"], token["scope"]) == ("pipeline", "deploy")
    assert token["sha256"] == hashlib.sha256(secret.encode()).hexdigest()


@pytest.mark.parametrize(
    ("words", "field"),
    [
        (("token", "create", "nobody"), "user: "),
        (("token", "create", "a b"), "user: "),
        (("token", "create", "ann", "--scope", "everything"), "--scope"),
        (("token", "create", "ann", "--name", "x" * 65), "name: "),
        (("token", "create", "ann", "--name", "\x1b[31m"), "name: "),
        (("user", "create", "a b", "--password-stdin"), "name: "),
        (("user", "create", "bob", "--role", "root"), "--role"),
    ],
)
def test_what_cannot_be_right_is_refused_and_changes_nothing(
    deployer: Console, words: tuple[str, ...], field: str
) -> None:
    deployer("user", "create", "ann", "--password-stdin", stdin=PASSWORD)
    before = deployer.dump()
    result = deployer(*words, stdin=PASSWORD)

    assert result.exit_code == 2
    assert field in result.stderr
    assert deployer.dump() == before


def test_a_role_is_given_for_everything_and_for_one_service(stocked: Console) -> None:
    for name in ("ann", "bob"):
        stocked("user", "create", name, "--password-stdin", stdin=PASSWORD)
    result = stocked("user", "role", "ann", "administrator")
    assert (result.exit_code, result.stdout) == (0, "ann: administrator.\n")
    assert stocked("user", "role", "bob", "maintainer", "--service", "orders").exit_code == 0
    assert stocked("user", "role", "bob", "none").exit_code == 0
    assert [(row["name"], row["role"]) for row in stocked.rows("user")] == [("ann", "administrator"), ("bob", "none")]
    assert '"role": ["none", "maintainer"]' in str(stocked.rows("audit_entry"))
    assert {row["source"] for row in stocked.rows("audit_entry")} == {"command line"}


def test_the_last_administrator_is_not_made_less(stocked: Console) -> None:
    stocked("user", "create", "ann", "--role", "administrator", "--password-stdin", stdin=PASSWORD)
    before = stocked.dump()
    for words in (("ann", "viewer"), ("nobody", "viewer"), ("ann", "administrator", "--service", "orders")):
        assert stocked("user", "role", *words).exit_code in (1, 2)
    assert stocked.dump() == before

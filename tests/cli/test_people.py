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
    result = deployer("user", "create", "ann", "--password-stdin", stdin="正确的马电池订书钉们和灯".encode())

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


def made(deployer: Console, *names: str) -> None:
    for name in names:
        deployer("user", "create", name, "--role", "administrator", "--password-stdin", stdin=PASSWORD)


def test_a_new_password_is_taken_from_standard_input(deployer: Console) -> None:
    made(deployer, "ann")
    (before,) = deployer.rows("user")
    result = deployer("user", "password", "ann", "--password-stdin", stdin="something else entirely")

    assert (result.exit_code, result.stderr) == (0, "")
    (after,) = deployer.rows("user")
    assert after["password_hash"] != before["password_hash"]
    assert after["device_key"] != before["device_key"]


def test_people_are_disabled_enabled_and_listed(deployer: Console) -> None:
    made(deployer, "ann", "bob")
    assert deployer("user", "disable", "bob").exit_code == 0
    assert deployer("user", "list").stdout.splitlines() == [
        "ann\tadministrator\tactive\t0 tokens",
        "bob\tadministrator\tdisabled\t0 tokens",
    ]
    assert deployer("user", "enable", "bob").exit_code == 0
    assert "disabled" not in deployer("user", "list").stdout


def test_the_last_administrator_is_not_disabled(deployer: Console) -> None:
    made(deployer, "ann", "bob")
    deployer("user", "disable", "bob")
    result = deployer("user", "disable", "ann")

    assert result.exit_code == 1
    assert "Nobody would be left who administers" in result.stderr
    assert "ann\tadministrator\tactive" in deployer("user", "list").stdout


def test_a_person_is_linked_with_who_they_are_at_the_provider(deployer: Console) -> None:
    made(deployer, "ann", "bob")
    provider = {
        "DEPLOYER_OIDC_URL": "https://id.example.org/",
        "DEPLOYER_OIDC_CLIENT_ID": "console",
        "DEPLOYER_OIDC_CLIENT_SECRET": "secret",
    }
    assert deployer("user", "link", "ann", "7").exit_code == 1, "which provider?"
    assert deployer("user", "link", "ann", "7", **provider).exit_code == 0
    result = deployer("user", "link", "bob", "7", **provider)

    assert result.exit_code == 1
    assert result.stderr.startswith("subject: ")
    assert [(row["issuer"], row["subject"]) for row in deployer.rows("user")] == [
        ("https://id.example.org", "7"),
        (None, None),
    ]


def test_a_token_is_bound_listed_and_revoked(stocked: Console) -> None:
    made(stocked, "ann")
    made_one = stocked("token", "create", "ann", "--service", "orders", "--days", "7", "--name", "ci")
    assert made_one.exit_code == 0, made_one.output
    (row,) = stocked("token", "list", "ann").stdout.splitlines()
    id_, name, scope, services, ends, used = row.split("\t")
    assert (name, scope, services, used) == ("ci", "read", "orders", "never used")
    assert ends.startswith("until 20")
    assert stocked("token", "revoke", "ann", id_).exit_code == 0
    assert "revoked" in stocked("token", "list", "ann").stdout


def test_a_token_never_expires_only_on_purpose(deployer: Console) -> None:
    made(deployer, "ann")
    deployer("token", "create", "ann")
    deployer("token", "create", "ann", "--never-expires")
    usual, lasting = deployer.rows("token")
    assert usual["expires"] is not None
    assert lasting["expires"] is None


@pytest.mark.parametrize(
    ("words", "field"),
    [
        (("token", "create", "nobody"), "user: "),
        (("token", "create", "a b"), "user: "),
        (("token", "create", "ann", "--scope", "everything"), "--scope"),
        (("token", "create", "ann", "--service", "nowhere"), "services: "),
        (("token", "create", "ann", "--days", "0"), "--days"),
        (("token", "create", "ann", "--days", "5", "--never-expires"), "days: "),
        (("token", "revoke", "ann", "7"), "token 7"),
        (("token", "revoke", "ann", "x"), "TOKEN_ID"),
        (("user", "password", "nobody", "--password-stdin"), "name: "),
        (("user", "disable", "nobody"), "name: "),
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

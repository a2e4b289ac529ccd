"""Settings that cannot be right are refused at once; what is only away at the moment is told."""

from __future__ import annotations

import pytest

from deployer.config import BadSettings, read_settings
from tests.cli.conftest import Console

GOOD_DATABASES = [
    "sqlite:////srv/x.db",
    "sqlite:///x.db",
    "postgresql://db/x",
    "postgresql+psycopg://user:p%40ss@db:5432/x?sslmode=require",
    "postgres://db/x",
    "postgresql:///x?host=/run/postgresql",
]


@pytest.mark.parametrize("command", [("doctor",), ("worker",), ("web",), ("db", "current"), ("token", "create", "ann")])
@pytest.mark.parametrize(
    ("name", "value"), [("SECRET_KEY", "short"), ("DATABASE_URL", "garbage"), ("REDIS_URL", "garbage")]
)
def test_bad_settings_are_told_and_nothing_starts(
    deployer: Console, command: tuple[str, ...], name: str, value: str
) -> None:
    result = deployer(*command, **{name: value})

    assert result.exit_code == 2, result.output
    assert result.stderr.startswith(f"{name} ")
    assert result.stdout == ""


@pytest.mark.parametrize(
    "url",
    [
        "hidden",
        "mysql://x:hidden@y/z",
        "postgresql+asyncpg://x:hidden@y/z",
        "postgresql+psycopg2://x:hidden@y/z",
        "postgresql://x:hidden@y:port/z",
        "postgresql://x:hidden@y:99999/z",
        "sqlite://",
        "sqlite:///",
        "sqlite:///:memory:",
        "sqlite:///file:x?mode=memory&uri=true",
        "sqlite://hidden/x.db",
    ],
)
def test_a_database_that_is_not_supported_is_refused_without_repeating_its_password(url: str) -> None:
    with pytest.raises(BadSettings, match=r"^DATABASE_URL .*sqlite:///.*postgresql://") as refused:
        read_settings({"SECRET_KEY": "x" * 32, "DATABASE_URL": url})

    assert "hidden" not in str(refused.value)


@pytest.mark.parametrize("url", GOOD_DATABASES)
def test_a_supported_database_is_taken(url: str) -> None:
    taken = read_settings({"SECRET_KEY": "x" * 32, "DATABASE_URL": url}).database_url

    assert taken == url.replace("postgres://", "postgresql://")


@pytest.mark.parametrize(
    "url",
    [
        "hidden",
        "http://hidden/",
        "redis://x:hidden@h:99999",
        "redis://x:hid/den@h",
        "redis://h?socket_timeout=hidden",
        "redis://h?hidden=1",
        "unix://hidden",
        "unix://",
    ],
)
def test_an_address_that_no_redis_can_have_is_refused_without_repeating_its_password(url: str) -> None:
    with pytest.raises(BadSettings, match=r"^REDIS_URL .*redis://.*unix:///") as refused:
        read_settings({"SECRET_KEY": "x" * 32, "REDIS_URL": url})

    assert "hid" not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    ["redis://h", "redis://:secret@h:6380/2", "rediss://h?ssl_cert_reqs=none", "unix:///x y?db=1", "redis://[::1]"],
)
def test_an_address_of_a_redis_is_taken(url: str) -> None:
    assert read_settings({"SECRET_KEY": "x" * 32, "REDIS_URL": url}).redis_url == url


@pytest.mark.parametrize("home", ["~nobody-of-this-name/x", "/tmp/\udcff"], ids=["of nobody", "no text"])
def test_a_home_that_cannot_be_right_is_refused(deployer: Console, home: str) -> None:
    result = deployer("doctor", DEPLOYER_HOME=home)

    assert result.exit_code == 2
    assert result.stderr.startswith("DEPLOYER_HOME ")


@pytest.mark.parametrize("url", ["sqlite:////nowhere/at/all.db", "postgresql://user:hidden@127.0.0.1:1/x"])
@pytest.mark.parametrize(
    "words",
    [
        ("user", "create", "ann", "--password-stdin"),
        ("token", "create", "ann"),
        ("service", "add", "x", "--restart", "true"),
        ("version", "add", "x", "1"),
        ("version", "build", "x", "1"),
        ("host", "add", "x", "--address", "192.0.2.8", "--directory", "/srv"),
        ("instance", "record", "x", "y", "1", "--port", "80"),
        ("db", "upgrade"),
        ("db", "downgrade"),
        ("db", "current"),
    ],
    ids=" ".join,
)
def test_a_database_that_cannot_be_reached_is_told_without_its_password(
    deployer: Console, words: tuple[str, ...], url: str
) -> None:
    result = deployer(*words, stdin="0123456789", DATABASE_URL=url)

    assert result.exit_code == 1
    assert result.stderr.startswith("The database cannot be used: ")
    assert len(result.stderr.splitlines()) == 1
    assert "hidden" not in result.output


def test_the_doctor_tells_which_of_the_two_is_away(deployer: Console) -> None:
    away = {"DATABASE_URL": "postgresql://user:hidden@127.0.0.1:1/x", "REDIS_URL": "redis://:hidden@127.0.0.1:1"}
    result = deployer("doctor", **away)

    assert result.exit_code == 1
    told = dict(line.split(": ", 1) for line in result.stdout.splitlines())
    assert told["Database"].startswith("The database cannot be used: ")
    assert "Connection refused" in told["Redis"]
    assert "REDIS_URL" in told["Redis"]
    assert "hidden" not in result.output


PROVIDER = {
    "DEPLOYER_OIDC_URL": "https://id.example.org/realm",
    "DEPLOYER_OIDC_CLIENT_ID": "console",
    "DEPLOYER_OIDC_CLIENT_SECRET": "hidden",
}


@pytest.mark.parametrize("missing", PROVIDER)
def test_half_a_provider_is_refused_without_repeating_its_secret(deployer: Console, missing: str) -> None:
    result = deployer("doctor", **{**PROVIDER, missing: ""})

    assert result.exit_code == 2
    assert result.stderr.startswith(f"{missing} is missing")
    assert "hidden" not in result.output


@pytest.mark.parametrize(
    "url",
    ["id.example.org", "http://id.example.org", "https://", "https://id.example.org/?x=1", "ftp://id.example.org"],
)
def test_an_address_that_no_provider_can_have_is_refused(deployer: Console, url: str) -> None:
    result = deployer("doctor", **PROVIDER | {"DEPLOYER_OIDC_URL": url})

    assert result.exit_code == 2
    assert result.stderr.startswith("DEPLOYER_OIDC_URL ")


@pytest.mark.parametrize("end", ["", "/", "/.well-known/openid-configuration"])
def test_a_provider_is_known_by_its_issuer(end: str) -> None:
    wanted = PROVIDER | {"DEPLOYER_OIDC_DOMAINS": "Example.org, example.net", "SECRET_KEY": "x" * 32}
    provider = read_settings({**wanted, "DEPLOYER_OIDC_URL": PROVIDER["DEPLOYER_OIDC_URL"] + end}).provider

    assert provider is not None
    assert provider.url == "https://id.example.org/realm"
    assert provider.discovery == "https://id.example.org/realm/.well-known/openid-configuration"
    assert provider.allowed.domains == {"example.org", "example.net"}
    assert provider.name_claim == "preferred_username"

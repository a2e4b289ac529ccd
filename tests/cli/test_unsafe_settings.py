"""What would start and should not: each is told in a sentence with its remedy, and nothing starts."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from deployer.app import create_app
from deployer.config import BadSettings, read_settings
from deployer.unsafe import dangers
from tests.cli.conftest import Console, Started

GOOD = "0123456789abcdef" * 4
REMOTE = "postgresql://db.example.org/x"
ROOT = Path(__file__).resolve().parents[2]
UNSAFE = {
    "FLASK_DEBUG is on": {"FLASK_DEBUG": "1"},
    "SECRET_KEY is an example": {"SECRET_KEY": "x" * 64},
    "SECRET_KEY is missing": {"DATABASE_URL": REMOTE},
    "The database is SQLite": {"REDIS_URL": "redis://redis.example.org", "SECRET_KEY": GOOD},
}


@pytest.mark.parametrize("command", ["web", "worker"])
@pytest.mark.parametrize(("told", "environ"), UNSAFE.items(), ids=UNSAFE)
def test_nothing_starts_with_unsafe_settings(
    deployer: Console, command: str, told: str, environ: dict[str, str]
) -> None:
    result = deployer(command, **environ)

    assert result.exit_code == 2, result.output
    assert result.stderr.startswith(told)
    assert "deployer doctor" in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize(("told", "environ"), [one for one in UNSAFE.items() if "missing" not in one[0]])
def test_the_doctor_tells_what_is_unsafe(deployer: Console, told: str, environ: dict[str, str]) -> None:
    result = deployer("doctor", **environ)

    assert result.exit_code == 1
    assert dict(line.split(": ", 1) for line in result.stdout.splitlines())["Settings"].startswith(told)


def test_no_wsgi_server_serves_with_unsafe_settings(deployer: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEPLOYER_HOME", str(deployer.home))
    monkeypatch.setenv("FLASK_DEBUG", "1")
    with pytest.raises(BadSettings, match="FLASK_DEBUG"):
        create_app()


@pytest.mark.parametrize("debug", ["", "0", "false", "no"])
def test_what_is_not_on_is_no_danger(deployer: Console, debug: str) -> None:
    with pytest.raises(Started):
        deployer("web", "--bind", f"unix:{deployer.home}/web.sock", FLASK_DEBUG=debug)


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"DATABASE_URL": "postgresql:///x?host=/run/postgresql"},
        {"DATABASE_URL": "postgresql://localhost/x", "REDIS_URL": "redis://127.0.0.1"},
        {"DATABASE_URL": "postgresql://127.9.9.9/x", "REDIS_URL": "redis://[::1]:6380/1"},
        {"DATABASE_URL": REMOTE, "REDIS_URL": "rediss://redis.example.org", "SECRET_KEY": GOOD},
        {"DATABASE_URL": REMOTE, "SECRET_KEY": GOOD},
        {"REDIS_URL": "unix:///run/redis.sock"},
        {"SECRET_KEY": GOOD},
    ],
    ids=lambda environ: " ".join(environ.values()) or "nothing",
)
def test_what_is_on_one_machine_or_has_a_key_is_safe(tmp_path: Path, environ: dict[str, str]) -> None:
    settings = read_settings({"DEPLOYER_HOME": str(tmp_path), **environ})
    assert dangers(settings, environ) == []


@pytest.mark.parametrize("url", ["postgresql://192.0.2.7/x", "postgresql:///x?host=a.example.org,b.example.org"])
def test_a_database_elsewhere_needs_a_key_that_was_given(tmp_path: Path, url: str) -> None:
    settings = read_settings({"DEPLOYER_HOME": str(tmp_path), "DATABASE_URL": url})
    (danger,) = dangers(settings, {})
    assert "DATABASE_URL is on another machine" in danger


def test_a_key_that_stands_in_our_documents_is_refused(tmp_path: Path) -> None:
    texts = [file.read_text() for file in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md"))]
    keys = [key for text in texts for key in re.findall(r"SECRET_KEY=(\S+)", text)]
    assert keys
    for key in keys:
        settings = read_settings({"DEPLOYER_HOME": str(tmp_path), "SECRET_KEY": key})
        assert "example" in " ".join(dangers(settings, {"SECRET_KEY": key})), key


@pytest.mark.parametrize("number", ["-1", "11", "x", "１", "1.0", " 1"])
def test_a_number_of_proxies_that_cannot_be_is_refused(deployer: Console, number: str) -> None:
    result = deployer("doctor", DEPLOYER_PROXIES=number)

    assert result.exit_code == 2
    assert result.stderr.startswith("DEPLOYER_PROXIES ")


@pytest.mark.parametrize("networks", ["10.0.0.1/8", "intranet", "10.0.0.0/8;", "*"])
def test_what_is_no_list_of_networks_is_refused(deployer: Console, networks: str) -> None:
    result = deployer("doctor", DEPLOYER_ALLOWED_NETWORKS=networks)

    assert result.exit_code == 2
    assert result.stderr.startswith("DEPLOYER_ALLOWED_NETWORKS ")


def test_the_doctor_says_when_workers_may_ask_any_address(deployer: Console) -> None:
    said = "Networks: DEPLOYER_ALLOWED_NETWORKS has 0.0.0.0/0 and ::/0: "
    assert said in deployer("doctor", DEPLOYER_ALLOWED_NETWORKS="0.0.0.0/0, 10.0.0.0/8 ::/0").stdout
    assert "Networks: ok" in deployer("doctor", DEPLOYER_ALLOWED_NETWORKS="10.0.0.0/8").stdout

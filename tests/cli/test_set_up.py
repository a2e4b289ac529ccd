"""`deployer db` and `deployer doctor`: from nothing to a console that is well."""

from __future__ import annotations

import pytest

from deployer import embedded
from deployer.app import create_app
from deployer.config import read_settings
from deployer.operations import workers
from tests.cli.conftest import Console


def test_a_new_database_is_made_and_taken_down_again(deployer: Console) -> None:
    (deployer.home / "deployer.db").unlink()

    assert "no revision" in deployer("db", "current").stdout
    up = deployer("db", "upgrade")
    assert (up.exit_code, up.stderr) == (0, "")
    assert "no revision" not in deployer("db", "current").stdout
    down = deployer("db", "downgrade", "base")
    assert (down.exit_code, down.stderr) == (0, "")
    assert "no revision" in deployer("db", "current").stdout


@pytest.mark.parametrize("direction", ["upgrade", "downgrade"])
@pytest.mark.parametrize("revision", ["nosuch", "", " ", "@", "head@", "x@head", ":", "+99", "a\nb"])
def test_an_unknown_revision_is_refused(deployer: Console, direction: str, revision: str) -> None:
    result = deployer("db", direction, "--", revision)

    assert result.exit_code == 2
    assert result.stderr.startswith("revision: ")


def test_a_database_without_tables_is_told_before_anything_is_written(deployer: Console) -> None:
    (deployer.home / "deployer.db").unlink()
    result = deployer("host", "add", "web-1", "--address", "192.0.2.7", "--directory", "/srv")

    assert result.exit_code == 1
    assert "deployer db upgrade" in result.stderr


def test_the_doctor_names_each_thing_that_is_wrong_and_how_to_mend_it(deployer: Console) -> None:
    (deployer.home / "deployer.db").unlink()
    deployer.home.chmod(0o755)
    result = deployer("doctor")

    assert result.exit_code == 1
    told = dict(line.split(": ", 1) for line in result.stdout.splitlines())
    assert "chmod 700" in told["Home"]
    assert "deployer db upgrade" in told["Database"]
    assert "deployer worker" in told["Redis"]
    assert set(told) == {"Settings", "Networks", "Home", "Database", "Redis", "Workers", "People", "Credentials"}


def test_the_doctor_finds_nothing_wrong_with_a_console_that_is_well(deployer: Console) -> None:
    deployer("user", "create", "ann", "--role", "administrator", "--password-stdin", stdin="correct horse battery")
    settings = read_settings({"DEPLOYER_HOME": str(deployer.home)})
    with embedded.running(settings):
        with create_app(settings).app_context():
            workers.beat("machine:1", 50)
        result = deployer("doctor")

    every = ("Settings", "Networks", "Home", "Database", "Redis", "Workers", "People", "Credentials")
    assert result.stdout.splitlines() == [f"{name}: ok" for name in every]
    assert (result.exit_code, result.stderr) == (0, "")


def test_the_doctor_says_when_no_worker_is_alive(deployer: Console) -> None:
    result = deployer("doctor")

    assert result.exit_code == 1
    told = dict(line.split(": ", 1) for line in result.stdout.splitlines())
    assert told["Workers"] == "None is alive, so nothing that is accepted begins. Run: deployer worker"


@pytest.mark.parametrize("command", ["demo", "web", "worker", "db", "doctor", "user", "token", "service", "version"])
def test_every_command_explains_itself(deployer: Console, command: str) -> None:
    result = deployer(command, "--help")

    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) > 3

"""Nobody who types a command is shown a traceback, unless they ask for it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from deployer.commands import people
from tests.cli.conftest import Console


@pytest.fixture(autouse=True)
def _broken(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> str:
        raise LookupError("the moon is missing\nand more")

    monkeypatch.setattr(people.tokens, "create_token", broken)


def test_what_nobody_expected_is_told_in_one_line(deployer: Console) -> None:
    result = deployer("token", "create", "ann")

    assert result.exit_code == 1
    assert result.stderr == (
        "deployer: LookupError: the moon is missing. DEPLOYER_DEBUG=1 in the environment shows where it happened.\n"
    )


def test_with_debug_the_traceback_comes_too(deployer: Console) -> None:
    result = deployer("token", "create", "ann", DEPLOYER_DEBUG="1")

    assert result.exit_code == 1
    assert "Traceback (most recent call last)" in result.stderr
    assert result.stderr.endswith("deployer: LookupError: the moon is missing\n")


def test_a_refusal_by_click_is_told_its_own_way(deployer: Console) -> None:
    assert deployer("token", "nothing").exit_code == 2
    assert deployer("nothing").exit_code == 2
    assert deployer("token").stderr.startswith("Usage: ")


def test_an_input_that_ends_too_early_is_no_surprise(deployer: Console) -> None:
    result = deployer("user", "create", "ann", stdin="")

    assert result.exit_code == 1
    assert "Aborted!" in result.stderr
    assert "deployer:" not in result.stderr


def test_a_reader_who_has_gone_is_no_surprise(deployer: Console) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "deployer", "doctor"],
        env={"DEPLOYER_HOME": str(deployer.home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        said = process.stderr.read()

    assert b"Traceback" not in said
    assert b"deployer:" not in said

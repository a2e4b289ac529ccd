"""The order of fences, and a command in its wrapper, as data."""

from __future__ import annotations

import subprocess

import pytest

from deployer.domain.fence import WRAPPER, Fence, fenced, word
from deployer.domain.release import Command


@pytest.mark.parametrize(
    ("lower", "higher"),
    [
        pytest.param(Fence(1, 1), Fence(1, 2), id="a later attempt"),
        pytest.param(Fence(1, 9), Fence(2, 1), id="a later step"),
        pytest.param(Fence(9, 1), Fence(10, 1), id="numbers, not words"),
    ],
)
def test_later_work_has_the_higher_fence(lower: Fence, higher: Fence) -> None:
    assert lower < higher
    assert max(higher, lower) == higher


def test_a_command_travels_behind_its_wrapper_as_arguments() -> None:
    command = Command(("rm", "-rf", "$(id) '\""), 7, {"A": "b"}, "/srv")
    assert fenced(command, "/srv/my apps", Fence(12, 3)) == Command(
        ("sh", "-c", WRAPPER, "deployer-fence", "/srv/my apps", "12", "3", "rm", "-rf", "$(id) '\""),
        7,
        {"A": "b"},
        "/srv",
        lifeline=True,
    )


@pytest.mark.parametrize("shell", [("sh",), ("bash", "--posix")], ids=["sh", "bash"])
def test_the_wrapper_is_a_program_for_any_shell(shell: tuple[str, ...]) -> None:
    subprocess.run([*shell, "-n", "-c", WRAPPER], check=True)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("deployer-fence later: A later command was here.", ("later", "A later command was here.")),
        ("deployer-fence host: No room.", ("host", "No room.")),
        ("deployer-fence program: The program x is not on the host.", ("program", "The program x is not on the host.")),
        ("deployer-fence: 98: exec: ./x: Permission denied", None),
        ("deployer-fence other: x", None),
        (" deployer-fence later: x", None),
        ("", None),
    ],
)
def test_only_the_wrappers_own_words_are_taken_for_them(line: str, found: tuple[str, str] | None) -> None:
    assert word(line) == found

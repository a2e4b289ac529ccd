"""A failure may quote a host that nobody knows yet; what it says is kept and shown everywhere."""

from __future__ import annotations

import pytest

from deployer.remote.runner import RunnerError
from deployer.remote.text import MAX_LINE


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("go\x00away", "goaway"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("two\nlines\r\nof it", "two lines  of it"),
        ("\x1b]0;title\x07word", "word"),
        ("x" * 30_000, "x" * (MAX_LINE - 1) + "…"),
    ],
)
def test_what_a_host_has_a_say_in_is_kept_without_control_characters_and_bounded(said: str, kept: str) -> None:
    error = RunnerError(said, said)
    assert (error.cause, error.remedy, str(error)) == (kept, kept, f"{kept} {kept}")

"""What is for its owner alone is so from the first byte on, and is never half there."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deployer.private_files import make_once, put


@pytest.fixture(autouse=True)
def everything_for_everybody() -> Iterator[None]:
    """An umask that takes nothing away."""
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.parametrize("write", [put, make_once])
def test_nobody_else_may_read_it_and_nothing_is_left_beside_it(
    write: Callable[[Path, str], None], tmp_path: Path
) -> None:
    write(tmp_path / "secret", "x")
    assert [file.name for file in tmp_path.iterdir()] == ["secret"]
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600


def test_another_text_takes_the_place_of_the_first_and_what_is_made_once_stays(tmp_path: Path) -> None:
    make_once(tmp_path / "secret", "first")
    make_once(tmp_path / "secret", "second")
    assert (tmp_path / "secret").read_text() == "first"
    put(tmp_path / "secret", "third")
    assert (tmp_path / "secret").read_text() == "third"


def test_a_file_that_others_could_read_cannot_be_read_by_them_afterwards(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("before")
    put(tmp_path / "secret", "now")
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600

"""Commands on a host: what is said, what is kept from them, and how they end. Most rules hold for every way to it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from deployer.domain.release import Command
from deployer.remote.output import MAX_LINES, MAX_OUTPUT
from deployer.remote.runner import (
    CommandResult,
    DirectoryMissing,
    ProgramMissing,
    RunnerError,
    TransferFailed,
)
from deployer.remote.text import MAX_LINE
from tests.remote.conftest import over_both
from tests.remote.ways import Way

pytestmark = over_both
SHELLS_OWN = {"PWD", "OLDPWD", "SHLVL", "_"}  # what bash, as sh, adds to any environment


def shell(text: str, *arguments: str, deadline: float = 20, **more: object) -> Command:
    return Command(("sh", "-c", text, "sh", *arguments), deadline, **more)  # type: ignore[arg-type]


def python(text: str, deadline: float = 20) -> Command:
    return Command((sys.executable, "-c", text), deadline)


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def gone(pid: int, seconds: float = 5) -> bool:
    until = time.monotonic() + seconds
    while is_alive(pid):
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


def test_both_streams_are_said_and_only_the_standard_output_is_returned_apart(tmp_path: Path, way: Way) -> None:
    result, lines = way.run(shell("echo one; echo two >&2; printf three"), tmp_path)
    assert sorted(lines) == ["one", "three", "two"]
    assert result == CommandResult(0, False, "\n".join(lines), ("one", "three"), False)


def test_lines_arrive_while_the_command_runs(tmp_path: Path, way: Way) -> None:
    async def first_line() -> float:
        heard = asyncio.Event()
        task = asyncio.create_task(way.runner(tmp_path).run(shell("echo a; sleep 30"), lambda _: heard.set()))
        await asyncio.wait_for(heard.wait(), 5)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return time.monotonic() - started

    started = time.monotonic()
    assert asyncio.run(first_line()) < 10


@pytest.mark.parametrize(("text", "status"), [("exit 3", 3), ("kill -9 $$", 137), ("true", 0)])
def test_the_exit_status_is_the_one_a_shell_would_give(text: str, status: int, tmp_path: Path, way: Way) -> None:
    result, _ = way.run(shell(text), tmp_path)
    assert result.exit_status == status
    assert result.ok is (status == 0)


def test_arguments_reach_the_program_as_they_are(tmp_path: Path, way: Way) -> None:
    hostile = "$(touch x) `id` ; \"'\\ *"
    _, lines = way.run(shell('printf "%s\\n" "$1"', hostile), tmp_path)
    assert lines == [hostile]


def test_the_workers_own_environment_does_not_reach_the_command(
    tmp_path: Path, way: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_KEY", "only-the-worker-knows")
    monkeypatch.setenv("DATABASE_URL", "postgresql://user:only-the-worker-knows@db/x")
    _, lines = way.run(Command(("env",), 20, {"DEPLOYER_VERSION": "1.2.3"}), tmp_path)
    names = {line.partition("=")[0] for line in lines}
    assert names - SHELLS_OWN == {"PATH", "HOME", "LANG", "DEPLOYER_VERSION"}
    assert f"HOME={way.home(tmp_path)}" in lines


def test_no_open_file_of_the_worker_reaches_the_command(tmp_path: Path, way: Way) -> None:
    with (tmp_path / "secret").open("w") as file:
        os.set_inheritable(file.fileno(), True)
        _, lines = way.run(shell('ls -l "/proc/$$/fd"'), tmp_path)
    assert not [line for line in lines if "secret" in line]


def test_a_deadline_ends_the_whole_process_group_even_if_it_ignores_term(tmp_path: Path, way: Way) -> None:
    started = time.monotonic()
    result, lines = way.run(
        shell("trap '' TERM; sleep 100 & echo $!; echo $$; wait; sleep 100", deadline=0.5), tmp_path
    )
    assert time.monotonic() - started < 10
    assert (result.exit_status, result.timed_out) == (None, True)
    assert "took longer than 0.5 s" in lines[-1]
    assert all(gone(int(pid)) for pid in lines[:2])


def test_a_command_may_clean_up_when_its_deadline_passes(tmp_path: Path, way: Way) -> None:
    _, lines = way.run(shell("trap 'echo cleaned; exit 1' TERM; echo ready; sleep 100 & wait", deadline=0.5), tmp_path)
    assert lines[:2] == ["ready", "cleaned"]


def test_cancelling_ends_the_whole_process_group(tmp_path: Path, way: Way) -> None:
    lines: list[str] = []

    async def cancel() -> None:
        runner = way.runner(tmp_path)
        task = asyncio.create_task(runner.run(shell("sleep 100 & echo $!; echo $$; wait"), lines.append))
        while len(lines) < 2:  # noqa: ASYNC110 (the lines come from another process)
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel())
    assert all(gone(int(pid)) for pid in lines)


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's parent-death signal")
def test_a_killed_worker_takes_its_command_along(tmp_path: Path, way: Way) -> None:
    argv = way.worker(tmp_path, "sh", "-c", "echo $$; exec sleep 100")
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    pid = int(process.stdout.readline())
    assert is_alive(pid)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert gone(pid)


def test_a_daemon_that_keeps_the_output_open_does_not_make_us_wait(tmp_path: Path, way: Way) -> None:
    started = time.monotonic()
    result, lines = way.run(shell("setsid sleep 60 & echo $!; exit 0"), tmp_path)
    try:
        assert time.monotonic() - started < 5
        assert result.ok
        assert "keeps the output" in lines[-1]
        assert is_alive(int(lines[0]))
    finally:
        os.kill(int(lines[0]), signal.SIGKILL)


def test_a_flood_of_lines_is_cut_and_the_command_still_ends(tmp_path: Path, way: Way) -> None:
    result, lines = way.run(python("for number in range(200_000): print(number)\nprint('the end')"), tmp_path)
    assert result.ok
    assert result.cut
    assert len(lines) == MAX_LINES + 1
    assert "the rest is left out" in lines[-1]
    assert result.output.endswith("199999\nthe end")
    assert result.stdout[-1] == "the end"


def test_a_flood_without_line_ends_is_cut(tmp_path: Path, way: Way) -> None:
    result, lines = way.run(python("import sys\nsys.stdout.write('x' * 20_000_000 + '\\nend\\n')"), tmp_path)
    assert result.ok
    assert [len(line) for line in lines] == [MAX_LINE, 3]


def test_long_lines_are_bounded_together(tmp_path: Path, way: Way) -> None:
    result, lines = way.run(python("for _ in range(3000): print('y' * 1500)"), tmp_path)
    assert result.cut
    assert sum(map(len, lines)) < MAX_OUTPUT + MAX_LINE


def test_what_is_kept_has_no_terminal_codes_and_no_broken_characters(tmp_path: Path, way: Way) -> None:
    text = r"printf '\033[1;31mred\033[0m \377 \303\251 a\000b\033]0;title\007c\n10%%\r100%%\r\n'"
    _, lines = way.run(shell(text), tmp_path)
    assert lines == ["red � é abc", "100%"]


def test_a_character_split_between_two_reads_stays_whole(tmp_path: Path, way: Way) -> None:
    _, lines = way.run(shell(r"printf 'caf\303'; sleep 0.2; printf '\251\r'; sleep 0.2; printf '\nx'"), tmp_path)
    assert lines == ["café", "x"]


def test_a_missing_program_is_named(tmp_path: Path, way: Way) -> None:
    with pytest.raises(ProgramMissing, match="no-such-program is not on the host"):
        way.run(Command(("no-such-program",), 5), tmp_path)


def test_a_missing_directory_is_told_from_a_missing_program(tmp_path: Path, way: Way) -> None:
    with pytest.raises(DirectoryMissing, match="nowhere"):
        way.run(Command(("true",), 5, cwd=str(tmp_path / "nowhere")), tmp_path)


def test_a_file_that_is_no_program_is_refused(tmp_path: Path, way: Way) -> None:
    (tmp_path / "notes.txt").write_text("words")
    with pytest.raises(RunnerError, match="Permission denied"):
        way.run(Command((str(tmp_path / "notes.txt"),), 5), tmp_path)


def test_a_file_is_put_only_into_the_hosts_directory(tmp_path: Path, way: Way) -> None:
    host = tmp_path / "host"
    host.mkdir()
    source = tmp_path / "source"
    source.write_bytes(b"x" * 3_000_000)
    runner = way.runner(host)
    asyncio.run(runner.put(source, str(host / "copy"), 20))
    assert (host / "copy").read_bytes() == source.read_bytes()
    with pytest.raises(TransferFailed, match="not in the host's directory"):
        asyncio.run(runner.put(source, str(tmp_path / "elsewhere"), 20))
    with pytest.raises(TransferFailed, match="No such file"):
        asyncio.run(runner.put(tmp_path / "missing", str(host / "copy"), 20))

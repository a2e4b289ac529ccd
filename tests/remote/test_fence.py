"""Never two commands on one host: real processes, ended before anything of the next command happens."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from deployer.domain.fence import Fence, fenced
from deployer.domain.release import Command, Task, nothing
from deployer.jobs.deploy import Outcome, Phase
from deployer.jobs.recover import recover
from deployer.remote.fenced import FencedRunner
from deployer.remote.local import LocalRunner
from deployer.remote.runner import CommandResult, FencedOff, ProgramMissing, RunnerError
from tests.remote.conftest import RECIPE, Notes, over_both
from tests.remote.test_local import is_alive
from tests.remote.ways import Way

# It writes for as long as it lives, and it and all that it starts hold the lock on "proof".
BUSY = """
exec 5>>proof
flock -n 5 || echo overlap >>log
while :; do echo "$1" >>beats; sleep 0.01; done
"""
# The first thing it does is to ask whether anybody still holds "proof". (Descriptors of a dead process are closed in
# any order, so it waits for a moment.)
NEXT = """
exec 5>>proof
flock -w 0.2 5 || echo overlap
echo next >>beats
sleep 0.2
"""


@dataclass
class Place:
    """A host with one service root, and the commands on it."""

    home: Path
    root: Path
    way: Way
    lines: list[str] = field(default_factory=list)

    def runner(self, step: int = 1, attempt: int = 1) -> FencedRunner:
        return FencedRunner(self.way.runner(self.home), str(self.root), Fence(step, attempt))

    def run(self, command: Command, step: int = 1, attempt: int = 1) -> CommandResult:
        self.lines = []
        return asyncio.run(self.runner(step, attempt).run(command, self.lines.append))

    def shell(self, text: str, *arguments: str, deadline: float = 20) -> Command:
        return Command(("sh", "-c", text, "sh", *arguments), deadline, cwd=str(self.home))

    def fence(self) -> list[str]:
        return (self.root / ".deployer" / "fence").read_text().split()

    def strays(self) -> list[int]:
        """The living processes of any wrapper of this place."""
        mark = os.fsencode(self.root)
        found = []
        for directory in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if b"\0deployer-fence\0" + mark in (directory / "cmdline").read_bytes() and is_alive(
                    int(directory.name)
                ):
                    found.append(int(directory.name))
        return found

    def beats(self) -> list[str]:
        try:
            return (self.home / "beats").read_text().split()
        except FileNotFoundError:
            return []


@pytest.fixture
def place(tmp_path: Path, way: Way) -> Iterator[Place]:
    home = tmp_path / "host"
    home.mkdir()
    found = Place(home, home / "orders", way)
    yield found
    until = time.monotonic() + 5
    while found.strays() and time.monotonic() < until:
        time.sleep(0.02)
    assert found.strays() == []


@pytest.fixture
def killed() -> Iterator[list[int]]:
    """Processes that end with the test."""
    pids: list[int] = []
    yield pids
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@contextlib.contextmanager
def worker(place: Place, text: str, *arguments: str, step: int = 1) -> Iterator[subprocess.Popen[bytes]]:
    """A process of its own that runs the command and waits for it."""
    argv = ["sh", "-c", text, "sh", *arguments]
    process = subprocess.Popen(
        place.way.worker(place.home, *argv, root=place.root, step=step), stdout=subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def wrapper(place: Place, text: str, *arguments: str, step: int = 1) -> Iterator[subprocess.Popen[bytes]]:
    """A wrapper of which nobody takes care: its lifeline is held by this test whatever becomes of it."""
    command = fenced(place.shell(text, *arguments), str(place.root), Fence(step, 1))
    read_end, write_end = os.pipe()
    process = subprocess.Popen(command.argv, stdin=read_end, cwd=place.home, start_new_session=True)
    os.close(read_end)
    try:
        yield process
    finally:
        os.close(write_end)
        process.kill()
        process.wait()


def wait_for(place: Place, count: int = 1) -> None:
    until = time.monotonic() + 10
    while len(place.beats()) < count:
        assert time.monotonic() < until
        time.sleep(0.01)


def assert_the_next_is_alone(place: Place, step: int = 2) -> None:
    """Run NEXT: nothing of an earlier command may be heard from after its first action."""
    result = place.run(place.shell(NEXT), step)
    assert (result.exit_status, place.lines) == (0, [])
    beats = place.beats()
    assert len(beats) > 1
    assert beats[beats.index("next") :] == ["next"]


def orphan(place: Place, text: str, *arguments: str) -> None:
    """Leave behind what the command started, without its wrapper and its guard."""
    with wrapper(place, text, *arguments) as process:
        wait_for(place)
        for pid in place.strays():  # the wrapper, and the guard
            os.kill(pid, signal.SIGKILL)
        process.wait()


@over_both
def test_status_and_output_are_those_of_the_command(place: Place) -> None:
    result = place.run(place.shell("echo out; echo err >&2; exit 3"))
    assert (result.exit_status, result.stdout, sorted(place.lines)) == (3, ("out",), ["err", "out"])


@over_both
@pytest.mark.parametrize(
    ("text", "status"), [("kill -9 $$", 137), ("exit 75", 75), ("exit 127", 127), ("exit 255", 255)]
)
def test_the_status_is_kept_whatever_it_is(text: str, status: int, place: Place) -> None:
    result = place.run(place.shell(text))
    assert (result.exit_status, place.lines) == (status, [])


@over_both
def test_a_command_has_an_empty_input_and_only_the_lock_is_handed_down(place: Place) -> None:
    place.run(place.shell('cat; ls -l "/proc/$$/fd"'))
    found = {line.split()[8]: line.split(" -> ")[1] for line in place.lines if " -> " in line}
    assert set(found) == {"0", "1", "2", "9"}
    assert (found["0"], found["9"]) == ("/dev/null", f"{place.root}/.deployer/lock")


@pytest.mark.parametrize("argv", [("exit", "0"), ("kill_group",), ("cd", "/")], ids=["builtin", "own", "cd"])
def test_a_command_is_always_a_program_and_never_a_word_of_the_wrapper(argv: tuple[str, ...], place: Place) -> None:
    path = os.environ["PATH"]
    with contextlib.suppress(ProgramMissing):
        result = place.run(Command(argv, 10))
        assert result.exit_status == 127 or shutil.which(argv[0], path=path)


@over_both
def test_a_missing_program_is_named_as_without_the_wrapper(place: Place) -> None:
    for program in ("no-such-program", "/no/such/program"):
        with pytest.raises(ProgramMissing, match=f"The program {program} is not on the host. Install it there"):
            place.run(Command((program,), 5))
    assert place.lines == []


@pytest.mark.parametrize("name", ["my apps", "it's", 'say "hi"', "$(touch x)`id`;*", "-rf"])
def test_a_root_may_have_any_name(name: str, place: Place) -> None:
    place.root = place.home / name
    assert place.run(place.shell("echo $1", "a  b")).ok
    assert place.fence() == ["1", "1", "0"]
    with pytest.raises(FencedOff):
        place.run(nothing(), 0)
    assert [path.name for path in place.home.iterdir()] == [name]


def test_the_state_on_the_host_is_for_its_owner_only(place: Place) -> None:
    before = os.umask(0)
    try:
        assert place.run(place.shell("umask")).stdout == ("0000",)
    finally:
        os.umask(before)
    assert oct(place.root.stat().st_mode & 0o7777) == "0o755"
    assert oct((place.root / ".deployer").stat().st_mode & 0o7777) == "0o700"


@pytest.mark.parametrize("blocked", ["root", "state", "gate", "lock", "fence"])
def test_a_root_that_cannot_be_written_is_a_clear_failure_and_nothing_is_run(blocked: str, place: Place) -> None:
    state = place.root / ".deployer"
    if blocked == "root":
        place.root.write_text("a file")
    elif blocked == "state":
        place.root.mkdir()
        state.write_text("a file")
    else:
        (state / blocked).mkdir(parents=True)
    with pytest.raises(RunnerError, match=r"\.deployer.* cannot be written. See that there is room"):
        place.run(place.shell("echo ran >>beats"))
    assert place.beats() == []


@over_both
def test_a_lower_fence_is_refused_and_nothing_is_run(place: Place) -> None:
    assert place.run(nothing(), 7, 2).ok
    for step, attempt in ((7, 1), (6, 9)):
        with pytest.raises(FencedOff, match=r"A later command \(step 7, attempt 2\) was on this host.*remove /.*fence"):
            place.run(place.shell("echo ran >>beats"), step, attempt)
    assert (place.beats(), place.lines) == ([], [])
    (place.root / ".deployer" / "fence").unlink()
    assert place.run(nothing(), 1).ok


def test_a_lower_fence_does_not_touch_the_later_command(place: Place) -> None:
    with worker(place, "echo 1 >>beats; sleep 1; echo 2 >>beats", step=7) as process:
        wait_for(place)
        with pytest.raises(FencedOff):
            place.run(nothing(), 6)
        assert process.wait(10) == 0
    assert place.beats() == ["1", "2"]


@over_both
def test_the_commands_of_one_attempt_follow_each_other(place: Place) -> None:
    for number in range(5):
        assert place.run(place.shell('echo "$1" >>beats', str(number))).ok
        assert place.fence() == ["1", "1", "0"]
    assert place.beats() == list("01234")


@pytest.mark.parametrize("step", [1, 2], ids=["of the same attempt", "of a later step"])
def test_a_command_that_still_runs_is_dead_before_the_next(step: int, place: Place) -> None:
    with worker(place, BUSY, "old"):
        wait_for(place)
        assert_the_next_is_alone(place, step)


@over_both
def test_a_command_that_ignores_term_is_dead_before_the_next(place: Place) -> None:
    with worker(place, "trap '' TERM HUP INT\n" + BUSY, "old"):
        wait_for(place)
        assert_the_next_is_alone(place)


ORPHANS = {
    "in the foreground": BUSY,
    "ignoring signals": "trap '' TERM HUP INT\n" + BUSY,
    "in a session of its own": 'exec setsid sh -c "$2" sh "$1"',
    "in a session of its own, its environment cleared": 'exec env -i PATH="$PATH" setsid sh -c "$2" sh "$1"',
    "with its descriptors closed": 'exec sh -c "$2" sh "$1" 9>&- >/dev/null 2>&1',
    "without an environment": 'exec env -i PATH="$PATH" sh -c "$2" sh "$1"',
    "behind another descriptor": 'exec 4>&9 9>&-; exec env -i PATH="$PATH" setsid sh -c "$2" sh "$1"',
}


@pytest.mark.parametrize("text", ORPHANS.values(), ids=ORPHANS)
def test_an_orphan_is_dead_before_the_next_command(text: str, place: Place) -> None:
    orphan(place, text, "orphan", BUSY)
    length = len(place.beats())
    wait_for(place, length + 3)  # it goes on without its wrapper
    assert_the_next_is_alone(place)


def test_many_orphans_are_dead_before_the_next_command(place: Place) -> None:
    many = 'for i in 1 2 3 4 5; do (setsid sh -c "$2" sh $i &) ; (sh -c "$2" sh $i 9>&- &); done; sleep 100'
    orphan(place, many, "", BUSY.replace("flock -n 5 || echo overlap >>log", ""))
    assert_the_next_is_alone(place)


def test_recovery_ends_an_orphan_before_it_looks(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deployer.jobs.recover.PROBE_SECONDS", 0.5)
    orphan(place, BUSY, "orphan")
    task = Task("orders", "host-1", "127.0.0.1", 1, str(place.home), "1", "2", None, None)

    class Looking(FencedRunner):
        async def connect(self, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
            if "look" not in place.beats():
                with (place.home / "beats").open("a") as beats:
                    beats.write("look\n")
            return await super().connect(port)

    runner = Looking(LocalRunner("127.0.0.1", str(place.home)), str(place.root), Fence(1, 2))
    asyncio.run(recover(runner, RECIPE, task, Notes()))
    assert place.beats()[-1] == "look"


def test_recovery_says_so_when_the_host_cannot_be_asked(place: Place, notes: Notes) -> None:
    place.root.write_text("a file")
    task = Task("orders", "host-1", "127.0.0.1", 1, str(place.home), "1", "2", None, None)
    outcome = asyncio.run(recover(place.runner(), RECIPE, task, notes)).outcome
    assert outcome == Outcome(False, None, outcome.reason, Phase.RECOVERING, "failed")
    assert outcome.reason.startswith(
        "This failed: the worker that did it was lost in the middle. The host could not be asked what is left of it: "
    )
    assert f"{place.root}/.deployer cannot be written" in outcome.reason
    assert notes.lines[-1] == outcome.reason


@over_both
def test_a_killed_worker_takes_its_command_along(place: Place) -> None:
    with worker(place, BUSY, "old") as process:
        wait_for(place)
        process.kill()
        process.wait()
        time.sleep(0.5)
        length = len(place.beats())
        time.sleep(0.3)
        assert len(place.beats()) == length
    assert place.strays() == []
    assert_the_next_is_alone(place)


def test_a_wrapper_without_its_worker_kills_its_group(place: Place) -> None:
    with wrapper(place, BUSY, "old") as process:
        wait_for(place)
        began = time.monotonic()
    assert process.returncode == -signal.SIGKILL
    assert time.monotonic() - began < 2
    assert_the_next_is_alone(place)


def test_a_killed_wrapper_leaves_nothing_while_its_worker_lives(place: Place) -> None:
    with worker(place, BUSY, "old") as process:
        wait_for(place)
        os.kill(int(place.fence()[2]), signal.SIGKILL)
        assert process.wait(10) == 0
        length = len(place.beats())
        time.sleep(0.3)
        assert len(place.beats()) == length


def test_a_command_that_takes_too_long_is_ended_and_may_clean_up(place: Place) -> None:
    text = "trap 'sleep 0.5; echo cleaned; exit 1' TERM; echo ready; sleep 100 & wait"
    result = place.run(place.shell(text, deadline=0.5))
    assert (result.exit_status, result.timed_out, place.lines[:2]) == (None, True, ["ready", "cleaned"])
    assert place.fence()[2] != "0"
    assert place.run(nothing()).ok
    assert place.fence()[2] == "0"


def test_a_command_that_takes_too_long_and_ignores_term_is_killed(place: Place) -> None:
    began = time.monotonic()
    result = place.run(place.shell("trap '' TERM\n" + BUSY, "old", deadline=0.5))
    assert result.timed_out
    assert time.monotonic() - began < 8
    assert_the_next_is_alone(place)


def test_what_a_timed_out_command_left_in_a_session_of_its_own_is_dead_before_the_next(place: Place) -> None:
    text = 'setsid sh -c "$2" sh "$1" >/dev/null 2>&1 & sleep 100'
    assert place.run(place.shell(text, "old", BUSY, deadline=0.5)).timed_out
    assert_the_next_is_alone(place, step=1)


DAEMONS = {
    "in a session of its own": "setsid sleep 300 >/dev/null 2>&1 & echo $!",
    "in the group": "sleep 300 >/dev/null 2>&1 & echo $!",
    "in the group, of a command that failed": "sleep 300 >/dev/null 2>&1 & echo $!; exit 4",
    "without an environment": "env -i setsid sleep 300 >/dev/null 2>&1 & echo $!",
}


@over_both
@pytest.mark.parametrize("text", DAEMONS.values(), ids=DAEMONS)
def test_a_daemon_of_a_command_that_came_to_its_end_survives_all_that_follow(
    text: str, place: Place, killed: list[int]
) -> None:
    place.run(place.shell(text))
    daemon = int(place.lines[0])
    killed.append(daemon)
    assert Path(f"/proc/{daemon}/fd/9").samefile(place.root / ".deployer" / "lock")
    assert place.run(nothing()).ok
    assert place.run(nothing(), 2).ok
    assert is_alive(daemon)


def test_a_daemon_survives_the_end_of_a_later_orphan(place: Place, killed: list[int]) -> None:
    place.run(place.shell(DAEMONS["without an environment"]), 1)
    daemon = int(place.lines[0])
    killed.append(daemon)
    orphan(place, ORPHANS["behind another descriptor"], "orphan", BUSY)
    assert_the_next_is_alone(place)
    assert is_alive(daemon)


def test_a_stranger_in_a_group_whose_number_is_used_again_is_not_hit(place: Place) -> None:
    assert place.run(nothing()).ok
    with subprocess.Popen(["sleep", "100"], start_new_session=True) as stranger:
        try:
            fence = place.root / ".deployer" / "fence"
            fence.write_text(f"1 1 {stranger.pid}\n")
            assert place.run(nothing(), 2).ok
            fence.write_text(f"2 1 {stranger.pid}\n")
            with wrapper(place, BUSY, "old", step=2) as process:  # and when there is something to kill, too
                wait_for(place)
                fence.write_text(f"2 1 {stranger.pid}\n")
                assert_the_next_is_alone(place, 3)
                process.wait()
            assert stranger.poll() is None
        finally:
            stranger.kill()


@pytest.mark.parametrize(
    "content",
    [
        "",
        "\n",
        "garbage",
        "1",
        "1 2",
        "9 9 x",
        "-1 -1 -1",
        "9" * 400,
        "1 1 0",
        "1 1 1",
        "0x7 1 1",
        "\0\0\0",
        "9 1 $(id)",
    ],
)
def test_a_garbled_fence_counts_for_nothing(content: str, place: Place) -> None:
    state = place.root / ".deployer"
    state.mkdir(parents=True)
    (state / "fence").write_text(content)
    assert place.run(nothing(), 2).ok
    assert place.fence()[:3] == ["2", "1", "0"]
    with pytest.raises(FencedOff):
        place.run(nothing(), 1)


def test_a_command_that_still_runs_is_ended_even_when_its_fence_was_removed(place: Place) -> None:
    with worker(place, BUSY, "old", step=9):
        wait_for(place)
        (place.root / ".deployer" / "fence").unlink()
        assert_the_next_is_alone(place, 1)


@over_both
def test_of_twenty_at_once_none_overlap_and_the_highest_comes_to_its_end(place: Place) -> None:
    text = "exec 5>>proof; flock -w 0.05 5 || echo overlap; echo begin $1; sleep 0.3; echo end $1"
    lines: list[str] = []

    async def one(step: int) -> str:
        command = place.shell(text, str(step), deadline=60)
        try:
            result = await place.runner(step).run(command, lines.append)
        except FencedOff:
            return "refused"
        return str(result.exit_status)

    async def everyone() -> list[str]:
        return await asyncio.gather(*(one(step) for step in range(1, 21)))

    ends = asyncio.run(everyone())
    assert "overlap" not in lines
    assert ends[-1] == "0"
    assert set(ends) <= {"0", "137", "refused"}
    assert lines[-1] == "end 20"
    assert place.fence() == ["20", "1", "0"]


def test_a_wrapper_that_leads_no_group_begins_again_as_a_leader(place: Place) -> None:
    command = fenced(place.shell("echo $1 $2; sleep 100", "it's", 'a "b"   c'), str(place.root), Fence(1, 1))
    read_end, write_end = os.pipe()
    process = subprocess.Popen(command.argv, stdin=read_end, stdout=subprocess.PIPE, cwd=place.home)
    os.close(read_end)
    assert process.stdout is not None
    assert process.stdout.readline() == b'it\'s a "b" c\n'
    assert os.getpgid(process.pid) == process.pid
    os.close(write_end)
    assert process.wait(10) == -signal.SIGKILL
    process.stdout.close()


@over_both
def test_nothing_of_a_wrapper_stays(place: Place) -> None:
    for text in ("true", "exit 9", "kill -9 $$", "sleep 100"):
        result = place.run(place.shell(text, deadline=0.5))
        assert place.strays() == [], (text, result)


@pytest.mark.skipif(shutil.which("bash") is None, reason="another shell")
def test_another_shell_does_it_too(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "sh").symlink_to(str(shutil.which("bash")))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    assert place.run(place.shell("echo $0; exit 3")).exit_status == 3
    with worker(place, BUSY, "old"):
        wait_for(place)
        assert_the_next_is_alone(place)
    orphan(place, ORPHANS["behind another descriptor"], "orphan", BUSY)
    with pytest.raises(FencedOff):
        place.run(nothing(), 1)
    assert place.run(place.shell("kill -9 $$"), 3).exit_status == 137
    assert place.lines == []

"""Commands over SSH: what stands between us and the command is none of its output, and an end that was not seen is no
success."""

from __future__ import annotations

import asyncio
import os
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from deployer.domain.release import Command
from deployer.remote import ssh_script, ssh_session
from deployer.remote.output import Output
from deployer.remote.runner import CommandResult, Dropped, Runner, RunnerError, TimedOut
from deployer.remote.ssh import Patience, SshHosts
from deployer.remote.ssh_failures import SessionRefused
from tests.conftest import need
from tests.remote.test_local import gone, is_alive, shell
from tests.remote.ways import NOBODY
from tests.sshd import Sshd, missing_sshd


def on(sshd: Sshd, directory: Path, work: Callable[[Runner], Awaitable[object]], **patience: float) -> object:
    """What ``work`` comes to, with the host."""

    async def do() -> object:
        async with SshHosts(account=NOBODY, patience=Patience(**patience)) as hosts:
            return await work(hosts.runner(sshd.target(directory)))

    return asyncio.run(do())


def said(sshd: Sshd, directory: Path, command: Command) -> tuple[CommandResult, list[str]]:
    lines: list[str] = []
    result = on(sshd, directory, lambda runner: runner.run(command, lines.append))
    assert isinstance(result, CommandResult)
    return result, lines


def login(tmp_path: Path, text: str) -> Sshd:
    """An sshd that runs a script of ours in the place of everybody's login shell; "$1" is what we asked for."""
    need(missing_sshd())
    script = tmp_path / "login"
    script.write_text(f'#!/bin/sh\nset -- "$SSH_ORIGINAL_COMMAND"\n{text}\n')
    script.chmod(0o755)
    return Sshd(tmp_path / "sshd", (f"ForceCommand {script}",))


LOGINS = {
    "noise on both streams": 'echo hello; echo warning >&2; eval "$1"',
    "noise without a line end": 'printf "motd> "; printf "beep\\a " >&2; eval "$1"',
    "a banner flood": 'head -c 3000000 /dev/zero | tr "\\0" x; yes oops | head -c 3000000 >&2; eval "$1"',
    "a shell that stays": 'sh -c "$1"; status=$?; exit "$status"',
    "a session of another": 'setsid -w sh -c "$1"',
    "no search path and no home": 'unset PATH HOME; /bin/sh -c "PATH=/usr/bin:/bin; unset HOME; $1"',
    "a hostile environment": 'export ENV=/dev/full BASH_ENV=/dev/full CDPATH=/ IFS=x LC_ALL=C; sh -c "$1"',
}


@pytest.mark.parametrize("text", LOGINS.values(), ids=LOGINS)
def test_what_a_login_says_and_does_before_is_none_of_the_command(text: str, tmp_path: Path) -> None:
    with login(tmp_path, text) as sshd:
        result, lines = said(sshd, tmp_path, shell("echo out; echo err >&2; exit 3"))
        assert (result.exit_status, result.stdout, sorted(lines), result.cut) == (3, ("out",), ["err", "out"], False)


# As csh and fish see them: in single quotes nothing counts but the quote, for csh also ! and the line end, for fish the
# backslash; a restricted bash wants no path.
def test_the_line_means_the_same_to_every_login_shell() -> None:
    words = ssh_script.LINE.split("'")
    assert (words[0], words[2], words[4], len(words)) == ("sh -c ", " ", "", 5)
    assert not set("!\\\n") & set(ssh_script.LINE)


SHELLS = [("tcsh", "-c"), ("fish", "-c"), ("zsh", "-c"), ("rbash", "-c"), ("perl", "-e", 'exec "sh", "-c", $ARGV[0]')]


@pytest.mark.parametrize("argv", SHELLS, ids=[shell[0] for shell in SHELLS])
def test_a_login_shell_that_is_no_posix_shell_will_do(argv: tuple[str, ...], tmp_path: Path) -> None:
    if shutil.which(argv[0]) is None:
        reason = f"{argv[0]} is not installed"
        need(reason) if argv[0] == "tcsh" else pytest.skip(reason)
    words = " ".join(f"'{word}'" for word in argv)
    with login(tmp_path, f'exec {words} "$1"') as sshd:
        assert said(sshd, tmp_path, shell("echo $0 $1", "a  b"))[1] == ["sh a  b".replace("  ", " ")]


def test_a_login_that_does_not_run_the_command_is_no_success(tmp_path: Path) -> None:
    with login(tmp_path, "echo This account is currently not available.; exit 0") as sshd:
        with pytest.raises(SessionRefused) as caught:
            said(sshd, tmp_path, shell("true"))
        assert "did not run the command. It ended with status 0. It said: This account is" in str(caught.value)
        assert "ForceCommand" in caught.value.remedy


def test_a_login_that_hangs_is_named_when_the_deadline_passes(tmp_path: Path) -> None:
    with (
        login(tmp_path, "exec sleep 2") as sshd,
        pytest.raises(TimedOut, match="Waiting for the login shell of root"),
    ):
        said(sshd, tmp_path, shell("true", deadline=0.5))


def test_neither_arguments_nor_environment_show_in_the_hosts_processes_or_logs(sshd: Sshd, tmp_path: Path) -> None:
    secret = "s3cr3t-value"
    file = tmp_path / "processes"
    look = "cat /proc/[0-9]*/cmdline >processes 2>/dev/null; echo $X"
    _, lines = said(sshd, tmp_path, Command(("sh", "-c", look), 20, {"X": secret}, str(tmp_path)))
    assert lines == [secret]
    assert b'head -c "$n"' in file.read_bytes()
    assert secret not in sshd.log() + file.read_text(errors="replace")


HOSTILE = "$(touch x) `id` ; \"'\\ * \n\t\x01 é \udc81\udcff -n %s !! ^"


def test_any_word_reaches_the_command_as_it_is(sshd: Sshd, tmp_path: Path) -> None:
    file = tmp_path / "words"
    text = 'for word; do printf "%s\\0" "$word"; done >"$0"; printf "%s" "$X" >>"$0"'
    argv = ("sh", "-c", text, str(file), HOSTILE, "", "-", "last\n")
    assert said(sshd, tmp_path, Command(argv, 20, {"X": HOSTILE + "\n"}))[0].ok
    assert file.read_bytes() == os.fsencode(f"{HOSTILE}\0\0-\0last\n\0{HOSTILE}\n")


@pytest.mark.parametrize("command", [Command(("true",), 5, {"A B": "c"}), Command(("true", "a\0b"), 5)])
def test_what_cannot_be_passed_on_is_refused(command: Command, sshd: Sshd, tmp_path: Path) -> None:
    with pytest.raises(RunnerError, match="cannot"):
        said(sshd, tmp_path, command)


def test_a_builtin_of_the_shell_is_no_program(sshd: Sshd, tmp_path: Path) -> None:
    with pytest.raises(RunnerError, match="export is not on the host"):
        said(sshd, tmp_path, Command(("export", "A=b"), 5))


def test_a_flood_fills_no_memory_and_does_not_hold_us_up(sshd: Sshd, tmp_path: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    result, lines = said(
        sshd, tmp_path, shell("yes 0123456789012345678901234567890123456 | head -c 100000000; echo; echo end")
    )
    assert (result.ok, result.cut, result.stdout[-1]) == (True, True, "end")
    assert "the rest is left out" in lines[-1]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # KiB


def test_an_endless_flood_is_ended_at_its_deadline(sshd: Sshd, tmp_path: Path) -> None:
    began = time.monotonic()
    result, lines = said(sshd, tmp_path, shell("echo $$; exec yes", deadline=1))
    assert (result.timed_out, result.cut) == (True, True)
    assert time.monotonic() - began < 8
    assert gone(int(lines[0]))


def test_a_slow_listener_slows_the_command_down_and_hears_all_of_it(sshd: Sshd, tmp_path: Path) -> None:
    lines: list[str] = []

    def say(line: str) -> None:
        time.sleep(0.0005)
        lines.append(line)

    text = "i=0; while [ $((i += 1)) -le 1000 ]; do echo $i; done"
    result = on(sshd, tmp_path, lambda runner: runner.run(shell(text), say))
    assert isinstance(result, CommandResult)
    assert result.ok
    assert lines == [str(number) for number in range(1, 1001)]


def test_output_that_is_still_under_way_at_the_end_of_the_command_is_heard(sshd: Sshd, tmp_path: Path) -> None:
    result, lines = said(sshd, tmp_path, shell("(sleep 0.3; echo late; sleep 0.3; echo later) & exit 0"))
    assert (result.ok, lines) == (True, ["late", "later"])


@pytest.mark.parametrize("lifeline", [False, True])
def test_a_lost_connection_is_no_end_of_the_command_and_ends_it(lifeline: bool, sshd: Sshd, tmp_path: Path) -> None:
    pids: list[str] = []
    text = "echo $$; exec cat" if lifeline else "echo $$; exec sleep 100"
    command = Command(("sh", "-c", text), 30, lifeline=lifeline)

    async def cut(runner: Runner) -> None:
        running = asyncio.ensure_future(runner.run(command, pids.append))
        while not pids:  # noqa: ASYNC110 (the line comes from another process)
            await asyncio.sleep(0.01)
        sshd.signal_connections(signal.SIGKILL)
        await running

    with pytest.raises(Dropped, match=r"lost while a command ran there.*the host is asked what really runs"):
        on(sshd, tmp_path, cut)
    assert gone(int(pids[0]))


def test_a_host_that_falls_silent_is_noticed_and_the_next_command_connects_again(tmp_path: Path) -> None:
    need(missing_sshd())
    with Sshd(tmp_path / "sshd") as sshd:

        async def silence(runner: Runner) -> None:
            assert (await runner.run(shell("true"), print)).ok
            sshd.signal_connections(signal.SIGSTOP)
            began = time.monotonic()
            with pytest.raises(Dropped):
                await runner.run(shell("true"), print)
            assert time.monotonic() - began < 3
            assert (await runner.run(shell("true"), print)).ok

        on(sshd, tmp_path, silence, keepalive=0.2)


def test_a_cancel_passes_even_when_the_host_is_silent(
    sshd: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deployer.remote.ssh_session.GRACE", 0.1)
    monkeypatch.setattr("deployer.remote.ssh_session.KILL_SECONDS", 0.1)
    monkeypatch.setattr("deployer.remote.ssh.CLOSING_SECONDS", 0.1)

    async def silence(runner: Runner) -> None:
        lines: list[str] = []
        running = asyncio.ensure_future(runner.run(shell("echo a; sleep 30"), lines.append))
        while not lines:  # noqa: ASYNC110 (the line comes from another process)
            await asyncio.sleep(0.01)
        sshd.signal_connections(signal.SIGSTOP)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    began = time.monotonic()
    on(sshd, tmp_path, silence)
    assert time.monotonic() - began < 5
    sshd.signal_connections(signal.SIGKILL)


def test_without_a_second_session_a_command_is_ended_all_the_same(tmp_path: Path) -> None:
    need(missing_sshd())
    with Sshd(tmp_path / "sshd", ("MaxSessions 1",)) as sshd:
        result, lines = said(sshd, tmp_path, shell("sleep 100 & echo $!; echo $$; wait", deadline=0.5))
        assert result.timed_out
        assert all(gone(int(pid)) for pid in lines[:2])


def test_a_host_that_takes_no_sessions_says_so(tmp_path: Path) -> None:
    need(missing_sshd())
    with (
        Sshd(tmp_path / "sshd", ("MaxSessions 0",)) as sshd,
        pytest.raises(SessionRefused, match=r"refuses another session.*Raise MaxSessions"),
    ):
        said(sshd, tmp_path, shell("true"))


def test_an_opening_that_is_cancelled_leaves_no_session_behind(tmp_path: Path) -> None:
    need(missing_sshd())
    with Sshd(tmp_path / "sshd", ("MaxSessions 2",)) as sshd:

        async def cancel(runner: Runner) -> None:
            assert (await runner.run(shell("true"), print)).ok
            for _ in range(5):
                opening = asyncio.ensure_future(runner.run(shell("sleep 100"), print))
                for _ in range(3):
                    await asyncio.sleep(0)
                opening.cancel()
                await asyncio.gather(opening, return_exceptions=True)
            await asyncio.sleep(0.3)
            assert (await runner.run(shell("true"), print)).ok

        on(sshd, tmp_path, cancel)


def test_a_daemon_that_talks_on_does_not_hold_us_up_for_ever(
    sshd: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deployer.remote.ssh_session.LONGEST_LINGER", 1.0)
    result, lines = said(sshd, tmp_path, shell("setsid sh -c 'while sleep 0.1; do echo x; done' & echo $!; exit 0"))
    try:
        assert result.ok
        assert "keeps the output" in lines[-1]
        assert is_alive(int(lines[0]))
    finally:
        os.killpg(int(lines[0]), signal.SIGKILL)


def test_one_connection_serves_everything_and_is_hung_up_when_idle(tmp_path: Path) -> None:
    need(missing_sshd())
    with Sshd(tmp_path / "sshd") as sshd:
        probes = sshd.connections()

        async def several(runner: Runner) -> None:
            await asyncio.gather(*(runner.run(shell("true"), print) for _ in range(5)))
            await runner.put(Path(__file__), str(tmp_path / "copy"), 10)
            assert sshd.connections() - probes == 1
            assert len(sshd.children()) == 1
            until = time.monotonic() + 5
            while sshd.children():
                assert time.monotonic() < until
                await asyncio.sleep(0.02)
            assert (await runner.run(shell("true"), print)).ok

        on(sshd, tmp_path, several, idle=0.2)
        assert sshd.connections() - probes == 2


def test_the_whole_program_is_one_for_any_posix_shell(tmp_path: Path) -> None:
    text = ssh_script.begin(Command(("true",), 5), "mark").partition(b"\n")[2]
    for argv in (["sh", "-n"], ["bash", "--posix", "-n"]):
        subprocess.run(argv, input=text, check=True)


def test_the_line_of_the_mark_fills_no_memory_when_it_does_not_end() -> None:
    heard = ssh_session._Heard(Output(lambda _line: None).out, "the-mark")
    heard.feed(b"noise the-mark ")
    for _ in range(1_000):
        heard.feed(b"x" * 10_000)
    assert len(heard._before) < 100_000
    assert heard.words is None


@pytest.mark.parametrize("line", ["ready", "ready x", "ready 12x", "ready -1", "ready " + "9" * 5_000])
def test_a_mark_without_a_process_group_is_no_beginning(line: str, tmp_path: Path) -> None:
    mark = 'read -r n; eval "$(head -c "$n" | grep -o \'^_deployer_mark=[^ ]*\')"'
    with login(tmp_path, f'{mark}; echo "$_deployer_mark {line}"; sleep 60') as sshd, pytest.raises(RunnerError):
        on(sshd, tmp_path, lambda runner: runner.run(Command(("true",), 1.5), lambda _line: None))


@pytest.mark.parametrize("lifeline", [False, True])
def test_a_command_that_begins_only_after_its_cancel_is_ended(lifeline: bool, tmp_path: Path) -> None:
    done = tmp_path / "done"
    command = Command(("sh", "-c", f"sleep 2; echo >{done}"), 30)
    if lifeline:  # it looks after itself then, as our wrapper does
        command = Command(("sh", "-c", f"read -r _ || exit; echo >{done}"), 30, lifeline=True)

    async def cancelled(runner: Runner) -> None:
        task = asyncio.ensure_future(runner.run(command, lambda _line: None))
        await asyncio.sleep(1)  # the login takes longer
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()

    with login(tmp_path, 'sleep 2; eval "$1"') as sshd:
        on(sshd, tmp_path, cancelled)
        time.sleep(4)
        assert not done.exists()

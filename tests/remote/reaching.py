"""Reaching a host by SSH as the worker's user, and the ways that fails."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from deployer.remote.runner import Runner, RunnerError
from deployer.remote.ssh import Account, Patience, SshHosts, SshTarget
from tests.remote.test_local import shell

Work = Callable[[Runner], Awaitable[object]]


async def greet(runner: Runner) -> str:
    result = await runner.run(shell("echo hello"), lambda _line: None)
    return result.output


def reach(target: SshTarget, home: Path, work: Work = greet, agent: str = "", **patience: float) -> object:
    """What ``work`` comes to with the host, for the worker's user of ``home``."""

    async def do() -> object:
        async with SshHosts(account=Account(home, agent), patience=Patience(**patience)) as hosts:
            return await work(hosts.runner(target))

    return asyncio.run(do())


def failure(kind: type[RunnerError], target: SshTarget, home: Path, **more: object) -> RunnerError:
    """How reaching the host fails. Whatever it is, it names the host and says what to do."""
    with pytest.raises(kind) as caught:
        reach(target, home, **more)  # type: ignore[arg-type]
    assert type(caught.value) is kind
    assert caught.value.remedy
    return caught.value


def known_hosts(home: Path, *lines: str) -> None:
    (home / ".ssh" / "known_hosts").write_text("".join(f"{line}\n" for line in lines))

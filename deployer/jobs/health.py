"""Does the service serve, and which version is it? Asked over the runner, never believed from our own records."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from deployer.domain.names import is_name
from deployer.domain.recipe import HealthCheck, Recipe, ReleaseRecipe
from deployer.domain.release import Task, own_command
from deployer.remote import http
from deployer.remote.runner import Runner, RunnerError, Say

REQUEST_DEADLINE = 5.0
COMMAND_DEADLINE = 30.0
MINIMUM = 0.5  # seconds that even the last try gets
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 1.0


@dataclass(frozen=True)
class Finding:
    """What a check found out. ``cause`` is "" when all is well."""

    cause: str
    running: str | None = None


async def wait_until_healthy(runner: Runner, recipe: Recipe, task: Task, say: Say) -> Finding:
    """Check until it succeeds or the recipe's time is over; ``say`` hears each new cause once."""

    async def once(seconds: float) -> Finding:
        return Finding(await _check(runner, recipe.health, task, _cwd(recipe, task), seconds))

    return await _repeat(once, recipe.health.timeout, say)


async def wait_for_version(
    runner: Runner, recipe: Recipe, task: Task, wanted: str | None, *, seconds: float, say: Say
) -> Finding:
    """Probe until ``wanted`` answers (None: until any version does) or ``seconds`` are over.

    Asked again and again, because a service that is restarted gracefully answers with its old process for a while.
    """

    async def once(seconds: float) -> Finding:
        running = await probe(runner, recipe, task, seconds)
        if running is None:
            return Finding("the service does not tell its version")
        if wanted is not None and running != wanted:
            return Finding(f"the service answers with version {running} instead of {wanted}", running)
        return Finding("", running)

    return await _repeat(once, seconds, say)


async def probe(runner: Runner, recipe: Recipe, task: Task, seconds: float = COMMAND_DEADLINE) -> str | None:
    """The version label that the service on the host gives, or None when it gives none that can be one."""
    try:
        if isinstance(recipe, ReleaseRecipe) and recipe.probe.kind == "http":
            deadline = min(seconds, REQUEST_DEADLINE)
            answer = await http.get(runner, task.address, task.port, recipe.probe.path, deadline)
            label = _label(answer.body) if answer.ok else ""
        else:
            argv = recipe.probe.command if isinstance(recipe, ReleaseRecipe) else recipe.probe
            deadline = min(seconds, COMMAND_DEADLINE)
            command = own_command(task, argv, "probe", deadline, _cwd(recipe, task))
            result = await runner.run(command, _unheard)
            lines = [line.strip() for line in result.stdout if line.strip()]
            label = lines[-1] if result.ok and lines else ""
    except RunnerError:
        return None
    return label if is_name(label) else None


async def _check(runner: Runner, health: HealthCheck, task: Task, cwd: str | None, seconds: float) -> str:
    """What is wrong now, or ""."""
    try:
        if health.kind == "http":
            deadline = min(seconds, REQUEST_DEADLINE)
            answer = await http.get(runner, task.address, task.port, health.path, deadline)
            return "" if answer.ok else f"GET {health.path} answered {answer.status}"
        if health.kind == "tcp":
            return await _connects(runner, task.port, min(seconds, REQUEST_DEADLINE))
        if health.kind == "command":
            deadline = min(seconds, COMMAND_DEADLINE)
            result = await runner.run(own_command(task, health.command, "health", deadline, cwd), _unheard)
            return "" if result.ok else result.failure
    except RunnerError as error:
        return str(error)
    return ""


async def _connects(runner: Runner, port: int, deadline: float) -> str:
    try:
        async with asyncio.timeout(deadline):
            _, writer = await runner.connect(port)
    except TimeoutError:
        return f"Connecting to port {port} took longer than {deadline:g} s."
    await http.close(writer)
    return ""


async def _repeat(once: Callable[[float], Awaitable[Finding]], seconds: float, say: Say) -> Finding:
    """Ask ``once``, with growing pauses, until it finds nothing wrong or the time is over; the last finding."""
    now = asyncio.get_running_loop().time
    until = now() + seconds
    pause = FIRST_PAUSE
    said = ""
    while True:
        finding = await once(max(until - now(), MINIMUM))
        if not finding.cause:
            return finding
        if finding.cause != said:
            said = finding.cause
            say(said)
        if now() + pause >= until:
            return Finding(f"{said.rstrip('.')} (tried for {seconds:g} s)", finding.running)
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, LONGEST_PAUSE)


def _cwd(recipe: Recipe, task: Task) -> str | None:
    return task.current if isinstance(recipe, ReleaseRecipe) else None


def _label(body: str) -> str:
    """The version in a service's answer: plain text, a JSON string, or a JSON object with the key "version"."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        value = None
    if isinstance(value, dict):
        value = value.get("version")
        return value if isinstance(value, str) else ""
    return value if isinstance(value, str) else body.strip()


def _unheard(line: str) -> None:
    """Checks are repeated; what they print would drown what the deployment says."""

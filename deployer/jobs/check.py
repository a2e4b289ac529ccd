"""Look at a host: whether it can be reached, and whether it has what an upgrade needs."""

from __future__ import annotations

import logging
import time
from dataclasses import replace

from deployer.domain import facts
from deployer.jobs.ways import WayTo
from deployer.operations.checks import CheckEnd, TakenCheck
from deployer.operations.places import Place
from deployer.remote.runner import BadAnswer, Runner, RunnerError

log = logging.getLogger(__name__)


async def check(to: WayTo, taken: TakenCheck) -> CheckEnd:
    """What is found on the host of ``taken``, or why nothing could be."""
    try:
        return await look_at(to(taken.place), taken.place)
    except RunnerError as error:
        return _refused(error)
    except Exception:
        log.exception("%s could not be checked", taken.place.hostname)
        return CheckEnd(None, "failed", "Deployer itself failed here.", "The log of the worker has the details.")


async def look_at(runner: Runner, place: Place) -> CheckEnd:
    """The same, with the host that ``runner`` reaches. Raises only what is no :class:`RunnerError`."""
    lines: list[str] = []
    heard = 0.0

    def hear(line: str) -> None:
        nonlocal heard
        lines.append(line)
        if facts.is_clock(line):
            heard = time.time()

    asked = time.time()
    try:
        result = await runner.run(facts.look(place.directory), hear)
        if not result.ok and not lines:
            raise BadAnswer(f"{result.failure[0].upper()}{result.failure[1:]}.", _SHELL)
    except RunnerError as error:
        return _refused(error)
    found = facts.read_facts(lines, asked, heard or asked)
    if found is None:
        said = next((line for line in reversed(lines) if line.strip()), "")
        return _refused(
            BadAnswer(f"The host did not say what it was asked{f': {said[:300]}' if said else ''}.", _SHELL)
        )
    try:
        refused = tuple(str(error) for error in await runner.refusals())
    except RunnerError as error:
        return _refused(error)
    found = replace(found, refused=refused)
    return CheckEnd(found.dump(), facts.WARNED if facts.warnings(found) else "")


_SHELL = "Log in there yourself as the same user: a POSIX shell has to run commands, and greet nobody."


def _refused(error: RunnerError) -> CheckEnd:
    return CheckEnd(None, str(error.kind), error.cause, error.remedy)

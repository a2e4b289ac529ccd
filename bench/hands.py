"""A worker for the bench: ``deployer worker`` as it is, except that its errands only wait, and that it counts.

    python -m bench.hands --slots 100 --seconds 2 --report DIR [--real]

With ``--real`` its errands are real, too.

It leaves a JSON file per process in the report directory: CPU seconds, peak memory, statements by their text.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from flask import Flask, current_app
from sqlalchemy import Engine, event

from deployer.commands import running
from deployer.jobs import drain, identity, worker
from deployer.jobs.deploy import Journal, Phase
from deployer.jobs.journal import StepJournal
from deployer.jobs.ways import WayTo
from deployer.operations import steps
from deployer.operations.steps import Said, Settlement, TakenStep

PHASES = (
    Phase.PREPARING, Phase.SENDING, Phase.VERIFYING, Phase.UNPACKING,
    Phase.SWITCHING, Phase.RESTARTING, Phase.HEALTH, Phase.PRUNING,
)  # fmt: skip
counted: Counter[str] = Counter()


def seconds_of(step: TakenStep, seconds: float, spread: float) -> float:
    """How long the step takes: ``seconds``, or evenly within ± ``spread`` of it, the same for a step in every run."""
    return seconds + spread * (2 * (step.step_id * 0.6180339887 % 1) - 1)


async def pretend(step: TakenStep, say: Journal, seconds: float, spread: float) -> Settlement:
    """Say as much as a deployment does and touch nothing."""
    clock = asyncio.get_running_loop().time
    began, whole = clock(), seconds_of(step, seconds, spread)
    say.line(f"Release {step.to_label} goes to {step.place.hostname}.")
    for number, phase in enumerate(PHASES, start=1):
        say.phase(phase)
        say.line(f"{phase} took a while on {step.place.hostname}, and this is what it had to say about it.")
        await asyncio.sleep(max(0.0, began + whole * number / len(PHASES) - clock()))
    say.phase(Phase.DONE)
    say.line(f"The service is up and answers with version {step.to_label}.")
    return Settlement(ok=True, running=step.to_label)


def one_step(rollout_id: int, seconds: float) -> None:
    """The peer: an RQ job is one instance, as in most consoles of this kind."""
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    with app.app_context():
        for step in steps.take_steps(rollout_id, identity.of_process(), 1):
            journal = StepJournal()
            end = asyncio.run(pretend(step, journal, seconds, 0))
            steps.say([Said(step, *journal.drain())])
            steps.settle_step(step, end)


def count(_connection: object, _cursor: object, statement: str, *_: object) -> None:
    """One statement more. (BEGIN is left out: only SQLite's is visible here.)"""
    if not statement.startswith("BEGIN"):
        counted[statement] += 1


def cpu(*whose: int) -> float:
    """Seconds of CPU used so far."""
    used = [resource.getrusage(who) for who in whose]
    return sum(one.ru_utime + one.ru_stime for one in used)


def report(folder: Path, kind: str, **facts: object) -> None:
    """Leave what this process has counted."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    text = json.dumps({"kind": kind, "statements": counted, "peak": peak, **facts})
    (folder / f"{kind}-{os.getpid()}.json").write_text(text)


def main() -> None:
    """Work until told to stop."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--slots", type=int, default=100)
    options.add_argument("--seconds", type=float, default=2.0)
    options.add_argument("--spread", type=float, default=0.0)
    options.add_argument("--report", type=Path, required=True)
    options.add_argument("--job-per-step", action="store_true")
    options.add_argument("--real", action="store_true")
    chosen = options.parse_args()
    real_drain, real_run = drain.drain, worker.run

    def in_horse(rollout_id: int) -> None:
        counted.clear()  # what the parent has counted is told by the parent
        if chosen.job_per_step:
            one_step(rollout_id, chosen.seconds)
        else:
            real_drain(rollout_id)
        report(chosen.report, "horse")

    def in_parent(app: Flask, tend: Callable[[], None]) -> bool:
        before = cpu(resource.RUSAGE_SELF)
        orderly = real_run(app, tend)
        used = cpu(resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN) - before
        report(chosen.report, "worker", cpu=used)
        return orderly

    async def carry_out(_to: WayTo, _store: Path, step: TakenStep, say: Journal) -> Settlement:
        return await pretend(step, say, chosen.seconds, chosen.spread)

    async def look_after(_to: WayTo, _step: TakenStep, _say: Journal) -> Settlement:
        return Settlement(ok=False, running=None, error="The bench lost a worker.")

    patches: list[tuple[object, str, Callable[..., object]]] = [
        (drain, "drain", in_horse),
        (worker, "run", in_parent),
    ]
    if not chosen.real:
        patches += [(drain, "execute", carry_out), (drain, "ask_what_is_left", look_after)]
    for module, name, ours in patches:
        setattr(module, name, ours)
    event.listen(Engine, "before_cursor_execute", count)
    running.worker(["--slots", str(chosen.slots)], standalone_mode=False)


if __name__ == "__main__":
    main()

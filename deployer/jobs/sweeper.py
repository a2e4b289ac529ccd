"""What a worker does when nobody rang: find work that waits, and steps whose worker died."""

from __future__ import annotations

import asyncio
import logging

import redis

from deployer import queue
from deployer.jobs.drain import worker_name
from deployer.jobs.execute import ask
from deployer.operations import steps
from deployer.operations.steps import Settlement

log = logging.getLogger(__name__)


def tick() -> None:
    """Ring for what waits. Called in the worker's parent every few seconds between jobs; must stay small."""
    try:
        if not queue.is_silent():
            return  # somebody rang and nobody has answered yet; ringing again would only pile up
    except redis.RedisError:
        return
    if steps.has_expired():
        queue.ring_sweep()
    for rollout_id in steps.unfinished_rollouts():
        queue.ring(rollout_id)


def sweep() -> None:
    """The RQ job: end each step whose lease ran out with the truth about its host."""
    for step in steps.take_over(worker_name()):
        found = asyncio.run(ask(step))
        told = f"it runs {found} now" if found else "what it runs could not be determined"
        end = Settlement(
            ok=False,
            running=found,
            error=f"The worker that did this was lost in the middle; the host was asked: {told}.",
        )
        if steps.settle_step(step, end):
            log.warning("step %s lost its worker: %s", step.step_id, told)

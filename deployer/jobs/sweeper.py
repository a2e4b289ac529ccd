"""What a worker does when nobody rang: look for work that waits, and for steps whose worker died."""

from __future__ import annotations

import redis

from deployer import queue
from deployer.operations import steps


def tick() -> None:
    """Ring if something waits. Called in the worker's parent every few seconds between jobs; must stay small."""
    try:
        if not queue.is_silent():
            return  # somebody rang and nobody has answered yet; ringing again would only pile up
    except redis.RedisError:
        return
    for rollout_id in steps.waiting_rollouts()[:1]:
        queue.ring(rollout_id)  # one bell is enough: who answers it looks at all of them

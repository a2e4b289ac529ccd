"""Whether a worker lives, for pages on which somebody waits for one. It changes without a revision, so the poller
carries what its page shows."""

from __future__ import annotations

from typing import Any

from flask import g

from deployer.queries import workers
from deployer.web.live.shared import lately


def is_alive() -> bool:
    """Whether any worker lives, or did just now: the same throughout a request."""
    if "alive" not in g:
        g.alive = lately("alive", workers.is_any_alive)
    return bool(g.alive)


def watched(waited_for: bool) -> dict[str, Any]:
    """For a page on which something waits for a worker, or not: whether one lives, and what its poller carries."""
    if not waited_for:
        return {"alive": True, "watch": {}}
    return {"alive": is_alive(), "watch": {"alive": int(is_alive())}}

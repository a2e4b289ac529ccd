"""Whether a worker lives, for pages on which somebody waits for one. It changes without a revision, so the poller
carries what its page shows."""

from __future__ import annotations

from typing import Any

from deployer.queries import workers
from deployer.web.parameters import read_flag


def watched(waited_for: bool) -> dict[str, Any]:
    """For a page on which something waits for a worker, or not: whether one lives, and what its poller carries."""
    if not waited_for:
        return {"alive": True, "watch": {}}
    alive = workers.is_any_alive()
    return {"alive": alive, "watch": {"alive": int(alive)}}


def has_changed() -> bool:
    """Whether the page that polls shows something else; asked only for pages on which somebody waits."""
    shown = read_flag("alive")
    return shown is not None and shown != workers.is_any_alive()

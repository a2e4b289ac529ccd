"""How gunicorn serves the console, as its configuration file. Its command line may say otherwise."""

from __future__ import annotations

import sys
from typing import Any

from deployer.lifetime import die_with_parent

worker_class = "gthread"
workers = 2
threads = 8
preload_app = True  # loaded once, for all processes; nothing is connected or started before they fork
keepalive = 30  # pages poll; a new connection for every poll would cost more than the answer
graceful_timeout = 10
control_socket_disable = True


def command(*options: str) -> list[str]:
    """The command that serves the console in this way."""
    return [sys.executable, "-m", "gunicorn", "--config", f"python:{__name__}", *options, "deployer.app:create_app()"]


def post_fork(_server: Any, worker: Any) -> None:
    """A killed master takes its workers along, and with them the port."""
    die_with_parent(worker.ppid)

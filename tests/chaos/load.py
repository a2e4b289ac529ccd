"""Somebody who never stops upgrading and reverting, over the real API."""

from __future__ import annotations

import contextlib
import http.client
import json
import random
import threading
from typing import Any

from tests.chaos.fleet import Fleet

PAUSE = (0.2, 1.2)


class Load(threading.Thread):
    """Sends rollouts until told to stop; ``accepted`` are those that were answered with 202."""

    def __init__(self, address: str, fleet: Fleet, seed: str) -> None:
        super().__init__(name="load", daemon=True)
        self._place = address.removeprefix("http://")
        self._fleet = fleet
        self._dice = random.Random(seed)
        self._told_to_stop = threading.Event()
        self.accepted: list[int] = []
        self._sent = 0

    def run(self) -> None:
        """Until :meth:`stop`."""
        while not self._told_to_stop.wait(self._dice.uniform(*PAUSE)):
            # Whether what failed half-way was accepted is not known here, so it is not sent again: the books tell.
            with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
                self._roll_out()

    def stop(self) -> None:
        """Send nothing more."""
        self._told_to_stop.set()
        self.join()

    def _roll_out(self) -> None:
        service = f"/api/v1/services/{self._fleet.service}"
        status, answer = self._call(f"{service}/instances")
        if status != http.HTTPStatus.OK:
            return
        instances = answer["data"]
        free = [one for one in instances if not one["locked"]]
        if not free:
            return
        source = self._dice.choice(free)["version_id"]
        hosts = [one["host_id"] for one in free if one["version_id"] == source]
        chosen = self._dice.sample(hosts, self._dice.randint(1, (len(hosts) + 1) // 2))
        target = self._dice.choice([one for one in self._fleet.versions if one != source])
        everyone = len(hosts) < len(free) and self._dice.random() < 0.3  # never all that are free: others come too
        self._sent += 1
        body = {
            "dest_version": target,
            "host": "all" if everyone else ",".join(map(str, chosen)),
            "reason": f"chaos {self._sent}",
        }
        action = "upgrade" if target > source else "revert"
        while not self._told_to_stop.is_set():
            try:
                status, answer = self._call(f"{service}/versions/{source}/{action}", body)
            except ConnectionRefusedError:
                self._told_to_stop.wait(0.2)  # nobody heard it, so it may be said again
                continue
            if status == http.HTTPStatus.ACCEPTED:
                self.accepted.append(answer["data"]["rollout_id"])
            return

    def _call(self, path: str, body: dict[str, Any] | None = None) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {self._fleet.token}", "Content-Type": "application/json"}
        connection = http.client.HTTPConnection(self._place, timeout=30)
        with contextlib.closing(connection):
            connection.request("POST" if body else "GET", path, json.dumps(body) if body else None, headers)
            reply = connection.getresponse()
            return reply.status, json.loads(reply.read())

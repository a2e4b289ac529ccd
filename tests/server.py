"""The console as it runs in production: gunicorn with several processes, on a free port."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from types import TracebackType

from deployer import webserver
from deployer.config import Settings
from tests.loopback import free_port, own_address

HOST = own_address(1)


class Server:
    """Serves while the ``with`` block runs; ``address`` is where."""

    def __init__(self, settings: Settings, workers: int = 3, threads: int = 8, program: str = "") -> None:
        self.settings = settings
        self.size = ["--workers", str(workers), "--threads", str(threads)]
        self.program = program  # another application than the console as it is, as gunicorn wants to have it

    def argv(self) -> list[str]:
        """The command that serves."""
        options = ["--bind", f"{HOST}:{self.port}", *self.size]
        if self.program:
            return [*webserver.command(*options)[:-1], self.program]
        return [sys.executable, "-m", "deployer", "web", *options]

    def __enter__(self) -> Server:
        self.port = free_port(HOST)
        self.address = f"http://{HOST}:{self.port}"
        environment = {
            "PATH": os.environ["PATH"],
            "DEPLOYER_HOME": str(self.settings.home),
            "DATABASE_URL": self.settings.database_url,
            "REDIS_URL": self.settings.redis_url,
            "SECRET_KEY": self.settings.secret_key,
        }
        self.log = self.settings.home / "web.log"
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                self.argv(),
                env=environment,
                stdout=output,
                stderr=output,
            )
        try:
            self._wait()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def _wait(self) -> None:
        until = time.monotonic() + 30
        while True:
            try:
                with urllib.request.urlopen(f"{self.address}/sign-in", timeout=5):
                    return
            except urllib.error.HTTPError:
                raise
            except OSError:
                assert self.process.poll() is None, self.log.read_text()
                assert time.monotonic() < until, self.log.read_text()
                time.sleep(0.1)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.terminate()
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

"""Many hosts on one machine: a few real sshd, each of which listens on many loopback addresses."""

from __future__ import annotations

import contextlib
import getpass
import itertools
import json
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from deployer.remote.ssh import KeyFile, SshTarget
from tests.loopback import free_port
from tests.sshd import Sshd, make_key

LISTENERS = 16  # of addresses, an sshd reads no more
SETTINGS = ("MaxStartups 1000:30:2000", "LogLevel INFO", "LoginGraceTime 300")


@dataclass(frozen=True)
class Host:
    """One of them; ``directory`` is its own, below which it may be written."""

    address: str
    port: int
    host_key: str
    key: str
    directory: str

    @property
    def target(self) -> SshTarget:
        """How our runner reaches it."""
        return SshTarget(
            hostname=self.address,
            address=self.address,
            directory=self.directory,
            user=getpass.getuser(),
            port=self.port,
            host_keys=(self.host_key,),
            secret=KeyFile(self.key),
        )


class Fleet:
    """``with Fleet(home, 200)``: 200 hosts that take the key ``home``/client, and exchange keys by curve25519."""

    def __init__(self, home: Path, size: int) -> None:
        self.home = home
        self.key = home / "client"
        self.file = home / "fleet.json"
        addresses = [f"127.0.{1 + number // 250}.{1 + number % 250}" for number in range(size)]
        self.port = free_port(addresses[0])
        make_key(self.key)
        self._servers = []
        self.hosts: list[Host] = []
        for start in range(0, size, LISTENERS):
            batch = addresses[start : start + LISTENERS]
            listen = tuple(f"ListenAddress {address}:{self.port}" for address in batch)
            directory = home / f"sshd-{batch[0]}"
            # Of several addresses, it listens on the first one last.
            server = Sshd(directory, (*SETTINGS, *listen), address=batch[0], port=self.port, key=self.key)
            self._servers.append((server, batch))
            self.hosts += [
                Host(address, self.port, server.host_key, str(self.key), str(home / "hosts" / address))
                for address in batch
            ]
        self._running = contextlib.ExitStack()

    def __enter__(self) -> Fleet:
        with contextlib.ExitStack() as running:
            for server, batch in self._servers:
                running.enter_context(server)
                for address in batch:  # sshd is content with one address that it gets, and so are not we
                    assert f"Server listening on {address} port" in server.log(), server.log()
            self._running = running.pop_all()
        self.file.write_text(json.dumps([asdict(host) for host in self.hosts]))
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()

    def clear(self) -> None:
        """Hosts with nothing on them."""
        shutil.rmtree(self.home / "hosts", ignore_errors=True)
        for host in self.hosts:
            Path(host.directory).mkdir(parents=True)

    def have(self, name: str, size: int, hosts: int) -> bool:
        """Whether the first ``hosts`` all have a file of that size."""
        files = [Path(host.directory, name) for host in self.hosts[:hosts]]
        return all(file.is_file() and file.stat().st_size == size for file in files)

    def cpu(self) -> float:
        """Seconds of CPU used so far by all sshd, with their connections that have ended and what these ran."""
        return sum(server.cpu() for server, _ in self._servers)

    def is_quiet(self) -> bool:
        """Whether nobody is connected any more."""
        return not any(server.children() for server, _ in self._servers)


def hosts_of(file: Path, number: int) -> list[Host]:
    """The first hosts of the fleet that left ``file``."""
    return [Host(**host) for host in itertools.islice(json.loads(file.read_text()), number)]


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0))

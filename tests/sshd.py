"""A real sshd for a test, with its own keys and its own idea of who may come in; and clients' homes to go with it."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path

from deployer.remote.ssh import KeyFile, SshTarget
from tests.loopback import free_port, own_address

PROGRAM = "/usr/sbin/sshd"
SETTINGS = {
    "PidFile": "none",
    "UsePAM": "no",
    "StrictModes": "no",
    "PermitRootLogin": "yes",
    "PasswordAuthentication": "no",
    "KbdInteractiveAuthentication": "no",
    "KexAlgorithms": "curve25519-sha256",
    "MaxStartups": "200:30:400",
    "MaxSessions": "50",
    "UseDNS": "no",
    "SetEnv": "SHLVL=1",  # a bash that does not seem to be the first one does not read its user's .bashrc
    "LogLevel": "VERBOSE",
    "Subsystem": "sftp internal-sftp",
}


def missing_sshd() -> str | None:
    """Why no sshd can be started here, or None."""
    if not os.access(PROGRAM, os.X_OK) or shutil.which("ssh-keygen") is None:
        return "sshd or ssh-keygen is not installed"
    return None


def make_key(file: Path, kind: str = "ed25519", passphrase: str = "") -> Path:
    """A new key pair: ``file``, and ``file``.pub."""
    file.parent.mkdir(parents=True, exist_ok=True)
    arguments = ["-q", "-t", kind, "-N", passphrase, "-C", "test", "-f", str(file)]
    subprocess.run(["ssh-keygen", *arguments], check=True, stdin=subprocess.DEVNULL)
    return file


class Sshd:
    """``with Sshd(directory, ("MaxSessions 1",)) as sshd``: what is set this way replaces our own settings.

    ``host_keys`` are the types of its keys, ``key`` the private key that opens it, ``network`` the namespace it is in.
    """

    def __init__(
        self,
        directory: Path,
        settings: tuple[str, ...] = (),
        *,
        address: str = "",
        port: int = 0,
        host_keys: tuple[str, ...] = ("ed25519",),
        key: Path | None = None,
        network: str = "",
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.address = address or own_address(2)
        self.port = port or free_port(self.address)
        self.settings = settings
        self._enter = ["ip", "netns", "exec", network] if network else []
        self.key = key or directory / "client"
        self.host_keys = [directory / f"host_{kind}" for kind in host_keys]
        for file, kind in zip(self.host_keys, host_keys, strict=True):
            if not file.exists():
                make_key(file, kind)
        if not self.key.exists():
            make_key(self.key)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Sshd:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Listen, and return when it does."""
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # where an sshd of root locks its unprivileged half in
        authorized = self.directory / "authorized_keys"
        authorized.write_text(Path(f"{self.key}.pub").read_text())
        own = {
            "ListenAddress": f"{self.address}:{self.port}",
            "AuthorizedKeysFile": str(authorized),
            **SETTINGS,
        }
        # Of most settings the first counts, of some the last: each stands there once.
        given = {setting.split()[0] for setting in self.settings}
        lines = [f"{name} {value}" for name, value in own.items() if name not in given]
        config = self.directory / "sshd_config"
        config.write_text("\n".join([*self.settings, *(f"HostKey {file}" for file in self.host_keys), *lines, ""]))
        before = len(self.log())
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*self._enter, PROGRAM, "-D", "-e", "-f", str(config)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        until = time.monotonic() + 10
        listens = f"Server listening on {self.address} port {self.port}."
        while listens not in self.log()[before:]:
            assert self._process.poll() is None and time.monotonic() < until, self.log()
            time.sleep(0.01)

    def stop(self) -> None:
        """End it and every connection to it."""
        if self._process is None:
            return
        children = self.children()
        self._process.terminate()
        self._process.wait()
        self._process = None
        for pid in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
                os.kill(pid, signal.SIGTERM)

    def children(self) -> list[int]:
        """The processes of connections, each the leader of what runs on it."""
        assert self._process is not None
        found = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        return [int(pid) for pid in found.read_text().split()]

    def signal_connections(self, number: signal.Signals) -> None:
        """A signal to all connections: STOP makes them silent, KILL cuts them."""
        for pid in self.children():
            os.kill(pid, number)

    def cpu(self) -> float:
        """Seconds of CPU used so far by it, its connections that have ended, and what these ran."""
        assert self._process is not None
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return sum(int(ticks) for ticks in fields[11:15]) / os.sysconf("SC_CLK_TCK")

    def connections(self) -> int:
        """How many connections were accepted so far."""
        return self.log().count("Connection from ")

    def log(self) -> str:
        """What it has said."""
        file = self.directory / "log"
        return file.read_text(errors="replace") if file.exists() else ""

    @property
    def host_key(self) -> str:
        """Its first public key, as ``ssh-ed25519 AAAA…``."""
        return public_key(self.host_keys[0])

    def target(self, directory: Path | str, **changes: object) -> SshTarget:
        """How it is reached by somebody who knows its host key and has ``key``."""
        target = SshTarget(
            hostname="host-1",
            address=self.address,
            directory=str(directory),
            port=self.port,
            host_keys=(self.host_key,),
            secret=KeyFile(str(self.key)),
        )
        return replace(target, **changes)  # type: ignore[arg-type]


def public_key(file: Path) -> str:
    """The public half of a key file, without its comment."""
    return " ".join(Path(f"{file}.pub").read_text().split()[:2])


def fingerprint(file: Path) -> str:
    """As ``ssh-keygen -lf`` prints it."""
    output = subprocess.run(["ssh-keygen", "-lf", f"{file}.pub"], check=True, capture_output=True, text=True).stdout
    return output.split()[1]

"""The others who can run a command on many hosts by SSH: ansible-core, and OpenSSH's own client under xargs.

They get what is fair: as many at a time, the same keys and key exchange, known host keys, pipelining, a named
interpreter on the hosts, and each time a new directory for shared connections, so that none is already open.
"""

from __future__ import annotations

import getpass
import itertools
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from bench.ssh_ours import ARTIFACT
from bench.sshd_fleet import Fleet

_CONFIG = """\
Host *
  User {user}
  Port {port}
  IdentityFile {key}
  IdentitiesOnly yes
  UserKnownHostsFile {known}
  GlobalKnownHostsFile /dev/null
  StrictHostKeyChecking yes
  KexAlgorithms curve25519-sha256
  BatchMode yes
  LogLevel ERROR
"""
_ANSIBLE = """\
[defaults]
forks = {forks}
interpreter_python = {python}
[ssh_connection]
pipelining = True
ssh_common_args = -F {config}
"""
_PLAYBOOK = """\
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.copy:
        src: {artifact}
        dest: "{hosts}/{{{{ inventory_hostname }}}}/{name}"
    - ansible.builtin.raw: "true"
"""


@dataclass(frozen=True)
class Contender:
    """A client: its command line for so many hosts. What ``env`` adds is asked for each time anew."""

    name: str
    argv: Callable[[int], list[str]]
    env: Callable[[], dict[str, str]] = field(default=dict)


class Files:
    """What clients read: lists of hosts, their keys, settings."""

    def __init__(self, fleet: Fleet, artifact: Path, at_once: int) -> None:
        self._fleet = fleet
        self._home = fleet.home / "peers"
        self._home.mkdir()
        self._fresh = itertools.count()
        self.artifact = artifact
        self.at_once = at_once
        known = self._write("known", "".join(f"[{host.address}]:{host.port} {host.host_key}\n" for host in fleet.hosts))
        values = {"user": getpass.getuser(), "port": fleet.port, "key": fleet.key, "known": known}
        self.config = self._write("config", _CONFIG.format(**values))
        self.playbook = self._write(
            "playbook.yml", _PLAYBOOK.format(artifact=artifact, hosts=fleet.home / "hosts", name=ARTIFACT)
        )
        settings = _ANSIBLE.format(forks=at_once, python=sys.executable, config=self.config)
        self.ansible = self._write("ansible.cfg", settings)

    def hosts(self, number: int) -> str:
        """A file with the first hosts, one in a line: an inventory, too."""
        return str(self._write(f"hosts-{number}", "".join(f"{host.address}\n" for host in self._fleet.hosts[:number])))

    def destination(self, host: str) -> str:
        """Where a host gets the artifact."""
        return f"{self._fleet.home}/hosts/{host}/{ARTIFACT}"

    def ansible_env(self) -> dict[str, str]:
        """An ansible that knows nothing of earlier ones, nor of this user's."""
        new = self._home / str(next(self._fresh))
        return {
            "ANSIBLE_CONFIG": str(self.ansible),
            "ANSIBLE_HOME": f"{new}/home",
            "ANSIBLE_REMOTE_TEMP": f"{new}/remote",
            "ANSIBLE_SSH_CONTROL_PATH_DIR": f"{new}/cp",
        }

    def _write(self, name: str, text: str) -> Path:
        file = self._home / name
        file.write_text(text)
        return file


def openssh(files: Files, upload: bool) -> Contender:
    """A client process for each host; for an upload one of scp and one of ssh."""
    ssh = f"ssh -F {files.config} {{}} true"
    scp = f"scp -q -F {files.config} {files.artifact} {{}}:{files.destination('{}')}"
    each = ["sh", "-c", f"{scp} && exec {ssh}"] if upload else ssh.split()
    return Contender(
        "OpenSSH scp, ssh" if upload else "OpenSSH",
        lambda number: ["xargs", "-a", files.hosts(number), "-P", str(files.at_once), "-I{}", *each],
    )


def ansible(files: Files, programs: Path, module: str) -> Contender:
    """``ansible all -m module -a true``."""
    return Contender(
        f"ansible {module}",
        lambda number: [f"{programs}/ansible", "all", "-i", files.hosts(number), "-m", module, "-a", "true"],
        files.ansible_env,
    )


def playbook(files: Files, programs: Path) -> Contender:
    """``ansible-playbook`` with a copy and a raw command."""
    return Contender(
        "ansible copy, raw",
        lambda number: [f"{programs}/ansible-playbook", "-i", files.hosts(number), str(files.playbook)],
        files.ansible_env,
    )


def installed_ansible() -> Path | str:
    """Where its programs are, in a virtual environment that is kept for the next time; or why there are none."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    place = cache / "deployer-bench" / f"ansible-core-python{version}"
    programs = place / "bin"
    if not (programs / "ansible-playbook").exists():
        print(f"Installing ansible-core into {place} …", flush=True)
        install = [str(programs / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        for argv in ([sys.executable, "-m", "venv", "--clear", str(place)], [*install, "ansible-core"]):
            done = subprocess.run(argv, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True)
            if done.returncode:
                lines = (done.stderr or done.stdout).strip().splitlines() or ["it does not say why"]
                return f"{' '.join(argv[:4])} failed: {lines[-1]}"
    return programs


def version_of(argv: list[str]) -> str:
    """The first line of what a program says of itself."""
    done = subprocess.run(argv, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    return ((done.stdout or done.stderr).splitlines() or ["?"])[0]

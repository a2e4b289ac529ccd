"""Services whose deploy command is a shell script that waits at a gate: so a test decides how long a rollout runs."""

from __future__ import annotations

import itertools
import shlex
from dataclasses import dataclass
from pathlib import Path

from tests.demo.tree import Tree

DEPLOY = """
echo "Installing $DEPLOYER_VERSION."
while [ -e "$1" ]; do sleep 0.05; done
if [ -e "$1.$DEPLOYER_HOST" ]; then echo "This host is broken."; exit 1; fi
mkdir -p "$DEPLOYER_ROOT"
printf '%s\\n' "$DEPLOYER_VERSION" >"$DEPLOYER_ROOT/version"
echo "$DEPLOYER_VERSION is in place."
"""
PROBE = 'cat "$DEPLOYER_ROOT/version"'
VERSIONS = {"1.0.0": "success", "1.1.0": "success", "1.2.0": "success", "1.3.0": "failed", "1.4.0": "success"}
RUNS = {"demo-1": "1.0.0", "demo-2": "1.0.0", **dict.fromkeys(("demo-3", "demo-4", "demo-5", "demo-6"), "1.1.0")}

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Scripted:
    """One such service. Its gate is open at first."""

    demo: Tree
    name: str
    id: int
    gate: Path  # closed while this file is there

    @classmethod
    def add(cls, demo: Tree, name: str | None = None, description: str = "") -> Scripted:
        """Add one to the demo: 1.0.0 on two hosts, 1.1.0 on four, three newer versions of which one was not built."""
        number = next(_numbers)
        name = name or f"scripted-{number}"
        gate = demo.home / f"{name}.closed"
        recipe = {
            "kind": "script",
            "deploy": shlex.join(["sh", "-ec", DEPLOY, "sh", str(gate)]),
            "probe_command": shlex.join(["sh", "-c", PROBE]),
        }
        added = demo.call("/services", {"name": name, "description": description, "language": "Shell", **recipe})
        service = cls(demo, name, int(added["id"]), gate)
        ids = {
            label: demo.call(f"/services/{service.id}/versions", {"version": label, "status": status})["id"]
            for label, status in VERSIONS.items()
        }
        hosts = {host["hostname"]: host["id"] for host in demo.call("/hosts")}
        for hostname, label in RUNS.items():
            where = {"host_id": str(hosts[hostname]), "version_id": str(ids[label]), "port": str(10_000 + number)}
            demo.call(f"/services/{service.id}/instances", where)
        return service

    def close_gate(self) -> None:
        """From now on a deployment waits."""
        self.gate.touch()

    def open_gate(self) -> None:
        """Let it through."""
        self.gate.unlink(missing_ok=True)

    def break_host(self, hostname: str) -> None:
        """From now on a deployment fails there, and before the first that succeeded no probe is answered."""
        Path(f"{self.gate}.{hostname}").touch()

    def mend_host(self, hostname: str) -> None:
        """Let it succeed."""
        Path(f"{self.gate}.{hostname}").unlink()

    def answer(self, hostname: str, version: str) -> None:
        """Let a probe of the host answer, as after a deployment by hand."""
        root = self.demo.home / "hosts" / hostname / self.name
        root.mkdir(parents=True, exist_ok=True)
        (root / "version").write_text(version)

    def runs(self, hostname: str) -> str:
        """The version that is recorded for the host."""
        rows = self.demo.instances(self.name)
        return next(str(row["version"]) for row in rows if row["host"].split(":")[0] == hostname)

    def host_ids(self, *hostnames: str) -> str:
        """As the API wants to have them."""
        rows = self.demo.instances(self.name)
        return ",".join(str(row["host_id"]) for row in rows if row["host"].split(":")[0] in hostnames)

    def roll_out(self, target: str, *hostnames: str, **strategy: str) -> int:
        """Start an upgrade from 1.1.0 over the API, as the demo's user; its id."""
        return self.demo.roll_out(self.name, "1.1.0", target, host=self.host_ids(*hostnames), **strategy)

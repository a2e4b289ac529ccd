"""How the demo's workers get into its hosts: what the database says of it, in the words of everybody's own hosts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from deployer import sealing
from deployer.demo.fleet import free_port, is_free
from deployer.demo.machines import USER, Machine, host_key, host_key_file
from deployer.domain.access import Actor
from deployer.domain.errors import Refused
from deployer.domain.reach import CredentialKind, Secret, fingerprint, is_loopback
from deployer.domain.status import Reach
from deployer.operations import credentials, host_keys, hosts
from deployer.operations.credentials import NewCredential
from deployer.operations.hosts import NewHost
from deployer.privatekeys import public_of
from deployer.queries import hosts as host_queries
from deployer.queries.hosts import HostRow

CREDENTIAL = "demo"


def add_credential(home: Path, key: str, actor: Actor) -> None:
    """Seal the private ``key`` for the demo's worker, which will find the key to open it with in ``home``."""
    credentials.publish(sealing.held(home, {}).publics)
    credentials.add(NewCredential(CREDENTIAL, CredentialKind.KEY, public_of(key, ""), Secret(key=key)), actor)


def over_ssh(new: NewHost, port: int) -> NewHost:
    """The host, reached by SSH at ``port``."""
    return replace(new, reach=Reach.SSH, ssh_user=USER, ssh_port=port, credential=CREDENTIAL)


def approve_key(home: Path, directory: str, host_id: int, actor: Actor) -> None:
    """Approve the key of the host in ``directory``. Nobody has to be asked for it: we have made it."""
    key = host_key(home, directory)
    host_keys.offer(host_id, key)
    host_keys.trust(host_id, fingerprint(key), actor)


def machines(home: Path, hosts_directory: Path, actor: Actor) -> tuple[list[Machine], list[str]]:
    """The SSH servers that have to run according to the database, and what went wrong, one text each.

    A host whose port is taken by now gets another one, and the database says so.
    """
    found, problems = [], []
    for host in host_queries.by_name().values():  # retired ones too: who brings them back finds them there
        if not _is_ours(home, hosts_directory, host):
            continue
        machine = Machine(host.hostname, host.address, host.login.port or 0, host.directory)
        try:
            found.append(machine if is_free(machine.address, machine.port) else _moved(host, machine, actor))
        except (OSError, Refused) as problem:
            problems.append(f"{host.hostname} has no SSH server: port {machine.port} is taken. {problem}")
    return found, problems


def _is_ours(home: Path, hosts_directory: Path, host: HostRow) -> bool:
    """Whether the demo has made the host, and it can still be served: whatever else is added is somebody's own."""
    return (
        host.reach is Reach.SSH
        and Path(host.directory).parent == hosts_directory
        and host_key_file(home, host.directory).exists()
        and host.login.port is not None
        and is_loopback(host.address)
    )


def _moved(host: HostRow, machine: Machine, actor: Actor) -> Machine:
    port = free_port(machine.address)
    new = replace(hosts.as_it_is(host.id), ssh_port=port)
    hosts.change_host(host.id, new, actor)
    return replace(machine, port=port)

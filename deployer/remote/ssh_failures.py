"""What can go wrong between us and a host that is reached by SSH: a name, a cause and a remedy for each."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Sequence

import asyncssh
from asyncssh.constants import OPEN_ADMINISTRATIVELY_PROHIBITED

from deployer.domain.errors import N_
from deployer.domain.reach import is_host_key
from deployer.remote.runner import BadAnswer, RunnerError, Unreachable
from deployer.remote.ssh_target import SshTarget


class ConnectionRefused(Unreachable):
    """The host answers, but nothing listens there."""

    kind = N_("connection refused")


class NameUnknown(Unreachable):
    """The address is a name that cannot be resolved."""

    kind = N_("name not found")


class HostKeyUnknown(RunnerError):
    """A host whose key nobody has approved yet: ``key`` in OpenSSH text ("" of a bastion), ``fingerprint`` as
    ``ssh-keygen -lf`` prints it."""

    kind = N_("host key unknown")

    def __init__(self, target: SshTarget, key: str, fingerprint: str, is_bastion: bool = False) -> None:
        approve = "approve it on the host's page or with deployer host trust"
        if is_bastion:
            approve = "add it to the known_hosts file of the worker's user"
        elif not is_host_key(key):
            approve = (
                "add it to the known_hosts file of the worker's user, for it is too long to be approved here; or let"
                " the host show an Ed25519 key"
            )
        super().__init__(
            f"The host key of {target.name} is not known.",
            f"Compare its fingerprint {fingerprint} with the host's own; if they are the same, {approve}.",
        )
        self.key = key
        self.fingerprint = fingerprint


class HostKeyChanged(RunnerError):
    """A host that shows another key than the approved ones: ``found`` and ``expected`` are fingerprints."""

    kind = N_("host key changed")

    def __init__(self, target: SshTarget, key: str, found: str, expected: Sequence[str]) -> None:
        super().__init__(
            f"THE HOST KEY OF {target.name} HAS CHANGED: expected {' or '.join(expected)}, found {found}."
            " Somebody may be in the middle, or the host was set up anew. Nothing was sent to it.",
            "Ask whoever set the host up. Only if its new fingerprint is this one, take the old key away and approve"
            " the new one.",
        )
        self.key = key
        self.found = found
        self.expected = tuple(expected)


class AuthenticationFailed(RunnerError):
    """The host does not let us in."""

    kind = N_("authentication failed")

    def __init__(self, target: SshTarget, user: str, tried: Sequence[str], note: str = "") -> None:
        what = f"tried: {', '.join(tried)}" if tried else "it takes nothing that this worker has"
        super().__init__(
            f"{target.name} does not let {user} in ({what}).{note}",
            f"Add the public key to ~{user}/.ssh/authorized_keys there, or correct the host's user or credential.",
        )


class KeyUnreadable(RunnerError):
    """A private key that cannot be used."""

    kind = N_("key cannot be read")


class PermissionRefused(RunnerError):
    """The user on the host may not do this."""

    kind = N_("permission denied")


class SftpMissing(RunnerError):
    """The host offers no file transfer."""

    kind = N_("SFTP not available")


class LoginTalks(RunnerError):
    """The login shell prints text where a file transfer begins."""

    kind = N_("login shell prints text")

    def __init__(self, target: SshTarget, user: str, said: str) -> None:
        super().__init__(
            f'The login shell of {user} on {target.name} prints text where a file transfer begins: "{said}".',
            "Let its start files (.bashrc, .zshenv, .cshrc, config.fish) print in interactive shells only, or set"
            " Subsystem sftp internal-sftp in the sshd_config there.",
        )


class SessionRefused(RunnerError):
    """The host let us in, but runs nothing, or not what was asked."""

    kind = N_("session refused")


def not_connected(target: SshTarget, port: int, error: Exception) -> RunnerError:
    """Why there is no connection; for what happens before anybody has authenticated."""
    if isinstance(error, socket.gaierror | UnicodeError):
        why = error.strerror if isinstance(error, OSError) else "it is no name of a host"
        return NameUnknown(
            f"The address {target.address} of {target.hostname} cannot be resolved: {why}.",
            "Correct the host's address, or the name service of the worker.",
        )
    where = f"{target.name}, port {port},"
    if isinstance(error, ConnectionError | asyncssh.ConnectionLost) and not isinstance(error, ConnectionRefusedError):
        return Unreachable(
            f"{where} closed the connection again and again before a key was exchanged.",
            "Look at sshd's log there; a MaxStartups that is too low, or a ban of this worker, does that.",
        )
    if isinstance(error, OSError):
        return _no_tcp(where, error)
    if isinstance(error, asyncssh.ChannelOpenError):
        return _no_tunnel(target, port, error)
    return BadAnswer(
        f"{where} is no SSH server that this worker understands: {_reason(error)}.",
        "Correct the host's address and port, or bring its sshd up to date.",
    )


def hung_up(target: SshTarget, port: int, user: str, tried: Sequence[str]) -> Unreachable:
    """The host has shown its key, and closed the connection before it said yes or no to us."""
    what = f" (tried: {', '.join(tried)})" if tried else ""
    return Unreachable(
        f"{target.name}, port {port}, closed the connection while {user} was logging in{what}.",
        "Look at sshd's log there; a Banner of more than 256 KiB, an account that is locked, or a sshd that was"
        " stopped at that moment does that.",
    )


def _no_tcp(where: str, error: OSError) -> Unreachable:
    # asyncio puts what several addresses of one name answered into one text, without a number.
    refused = f"Errno {errno.ECONNREFUSED}"
    if error.errno == errno.ECONNREFUSED or (error.errno is None and refused in str(error)):
        return ConnectionRefused(
            f"{where} refuses connections.", "Start sshd there, or correct the host's address and port."
        )
    # asyncio's own text repeats the address as a tuple; the error number says the same in words.
    why = os.strerror(error.errno) if error.errno and error.errno > 0 else "no address of it answers"
    return Unreachable(f"{where} cannot be reached: {why}.", "See that it is up and that no firewall stands between.")


def _no_tunnel(target: SshTarget, port: int, error: asyncssh.ChannelOpenError) -> RunnerError:
    if error.code == OPEN_ADMINISTRATIVELY_PROHIBITED:
        return PermissionRefused(
            f"The bastion of {target.name} does not forward connections.", "Allow TCP forwarding in its sshd_config."
        )
    kind = ConnectionRefused if "refused" in error.reason else Unreachable
    return kind(
        f"{target.name}, port {port}, cannot be reached from its bastion: {_reason(error)}.",
        "See that the host is up, and that its address and port are those that the bastion reaches.",
    )


def not_started(target: SshTarget, user: str, noise: str, status: int | None) -> SessionRefused:
    """The login shell ended without having run what we asked for."""
    said = f" It said: {noise}." if noise else ""
    how = "" if status is None else f" It ended with status {status}."
    return SessionRefused(
        f"The login shell of {user} on {target.name} did not run the command.{how}{said}",
        "Give that user a login shell such as /bin/sh, and see that no ForceCommand stands in the way and that no start"
        " file (such as .bashrc) begins another shell.",
    )


def session_refused(target: SshTarget, error: asyncssh.ChannelOpenError) -> SessionRefused:
    """No session, on a connection that is up."""
    return SessionRefused(
        f"{target.name} refuses another session: {_reason(error)}.",
        "Raise MaxSessions in its sshd_config, and see that the user may run commands.",
    )


def port_closed(target: SshTarget, port: int, error: asyncssh.ChannelOpenError) -> RunnerError:
    """No connection from the host to one of its own ports."""
    if error.code == OPEN_ADMINISTRATIVELY_PROHIBITED:
        return PermissionRefused(
            f"The sshd of {target.name} does not forward connections, so port {port} cannot be asked.",
            "Set AllowTcpForwarding local in its sshd_config, or check the service by a command.",
        )
    return Unreachable(f"Port {port} does not take connections: {_reason(error)}.")


def _reason(error: Exception) -> str:
    return (getattr(error, "reason", "") or str(error) or type(error).__name__).rstrip(".")

"""One attempt to get to know each other: what the host shows, and what we offer."""

from __future__ import annotations

import contextlib

import asyncssh
from asyncssh.auth import KbdIntPrompts, KbdIntResponse
from asyncssh.public_key import KeyPairListArg

from deployer.remote import ssh_gathered
from deployer.remote.ssh_account import Settings


class Agent:
    """The worker's ssh-agent, reached once."""

    def __init__(self) -> None:
        self._clients: dict[str, asyncssh.SSHAgentClient | None] = {}

    async def keys(self, path: str, identities: tuple[bytes, ...] | None) -> list[asyncssh.SSHKeyPair]:
        """What it offers; nothing when it does not answer."""
        with contextlib.suppress(OSError, ValueError, asyncssh.Error):
            if path not in self._clients:
                self._clients[path] = None
                self._clients[path] = await asyncssh.connect_agent(path)
            client = self._clients[path]
            return list(await client.get_keys(identities)) if client else []
        return []

    def close(self) -> None:
        """Let go of it."""
        for client in self._clients.values():
            if client is not None:
                client.close()


class Handshake(asyncssh.SSHClient):
    """One attempt, seen from inside: how far it came, and what was shown and tried."""

    def __init__(self, settings: Settings, agent: Agent) -> None:
        self._settings = settings
        self._agent = agent
        self._password = settings.password
        self._keys_asked = 0
        self._connection: asyncssh.SSHClientConnection | None = None
        self.shown: asyncssh.SSHKey | None = None  # a host key that is not trusted
        self.tried: list[str] = []

    def connection_made(self, conn: asyncssh.SSHClientConnection) -> None:
        self._connection = conn
        ssh_gathered.gather(conn)

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        self.shown = key
        return False

    async def public_key_auth_requested(self) -> KeyPairListArg | None:
        self._keys_asked += 1
        if self._keys_asked == 1:
            self.tried.extend(self._settings.offered)
            if self._settings.keys:
                return list(self._settings.keys)
        if self._keys_asked <= 2 and self._settings.agent:
            self._keys_asked = 2
            return await self._agent.keys(self._settings.agent, self._settings.identities)
        return None

    def password_auth_requested(self) -> str | None:
        password, self._password = self._password, None
        if password is not None:
            self.tried.append("password")
        return password

    def kbdint_auth_requested(self) -> str | None:
        return None if self._password is None else ""

    def kbdint_challenge_received(
        self, name: str, instructions: str, lang: str, prompts: KbdIntPrompts
    ) -> KbdIntResponse | None:
        if not prompts:
            return []
        password = self.password_auth_requested() if len(prompts) == 1 else None
        return None if password is None else [password]

    @property
    def has_keys(self) -> bool:
        """Whether the host has shown who it is: from then on, what goes wrong is about who we are."""
        return self._connection is not None and self._connection.get_server_host_key() is not None

    @property
    def phase(self) -> str:
        """What was being done."""
        if self._connection is None:
            return "Connecting to"
        return "Authenticating at" if self.has_keys else "Exchanging keys with"

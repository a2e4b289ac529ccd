"""A host as a person describes it: how it is compared, told, and kept apart from the others."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from deployer.domain.status import Reach

# What a worker needs to find the host: with another value, what was seen before was seen somewhere else.
WAY = ("address", "reach", "directory", "ssh_user", "ssh_port", "jump", "credential")
# Two hosts with the same values here would overwrite each other's services.
PLACE = {
    Reach.LOCAL: ("reach", "directory"),
    Reach.SSH: ("reach", "directory", "address", "jump", "ssh_port"),
}


@dataclass(frozen=True)
class NewHost:
    """A machine to add, or what one shall be. Where it says nothing on SSH, the worker's own configuration says."""

    hostname: str
    address: str
    directory: str
    reach: Reach = Reach.LOCAL
    description: str = ""
    labels: tuple[str, ...] = ()
    ssh_user: str = ""
    ssh_port: int | None = None
    jump: str = ""
    credential: str | None = None  # its name

    @property
    def place(self) -> dict[str, Any]:
        """Where its services are, by field: equal for two hosts that would overwrite each other's."""
        return {name: getattr(self, name) for name in PLACE[self.reach]}

    def differences(self, after: NewHost) -> dict[str, list[str]]:
        """What ``after`` has otherwise, by field: before and after, as typed."""
        before, now = self.as_typed(), after.as_typed()
        return {name: [text, now[name]] for name, text in before.items() if getattr(self, name) != getattr(after, name)}

    def as_typed(self) -> dict[str, str]:
        """Each field as a form has it."""
        return {name: as_typed(value) for name, value in asdict(self).items()}


def is_elsewhere(changes: dict[str, list[str]]) -> bool:
    """Whether with these :meth:`~NewHost.differences` a worker would come to another place, or come otherwise."""
    return any(name in WAY for name in changes)


def as_typed(value: Any) -> str:
    """A value as a form has it."""
    return " ".join(value) if isinstance(value, tuple) else "" if value is None else str(value)

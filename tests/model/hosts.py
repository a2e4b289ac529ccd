"""Simulated hosts: what really runs on them, and the contract of the wrapper under which each command runs.

A command goes on by the clock, whatever becomes of the worker that began it.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any, ClassVar

from tests.model.clock import Clock

Fence = tuple[float, float]  # (step id, attempt)
Slot = tuple[str, str]  # (host name, service)


class Unreachable(Exception):
    """No command gets to the host, and no word from one that runs there."""


class Ended(Exception):
    """The command did not come to its own end: it failed, it was killed, or it was refused."""


@dataclass(eq=False)
class Command:
    """One command on a host. In its middle it puts ``to`` into service, if it does that at all."""

    owner: str
    fence: Fence
    ends: float
    to: str | None
    acts: float
    fails: bool
    heard: asyncio.Future[None] | None
    has_acted: bool = False

    def tell(self, problem: Exception | None) -> None:
        """Let the worker hear of the end, if it is there to hear."""
        if self.heard is not None and not self.heard.done():
            if problem is None:
                self.heard.set_result(None)
            else:
                self.heard.set_exception(problem)


@dataclass(eq=False)
class Place:
    """A service on a host. ``serves`` is False from the middle of a switch until it has succeeded."""

    version: str
    serves: bool = True
    fence: Fence = (0, 0)  # the highest that the wrapper has seen
    highest: Fence = (0, 0)  # the same, kept by us: a wrapper that is off does not look at it
    running: list[Command] = field(default_factory=list)
    fails_next: bool = False


@dataclass
class Fleet:
    """All hosts. ``wrong`` gathers what must never happen."""

    fencing: ClassVar[bool] = True  # whether the wrapper does its work

    clock: Clock
    places: dict[Slot, Place]
    unreachable: set[str] = field(default_factory=set)
    outlive: set[str] = field(default_factory=set)  # hosts on which a command outlives its connection
    wrong: list[str] = field(default_factory=list)

    def fence_off(self, slot: Slot, fence: Fence) -> Place:
        """Kill what has a lower fence, and refuse to be the lower one."""
        if slot[0] in self.unreachable:
            raise Unreachable
        place = self.places[slot]
        if self.fencing:
            if fence < place.fence:
                raise Ended("refused: a later attempt was here")
            for older in [one for one in place.running if one.fence < fence]:
                self.end(slot, older, Ended("killed by a later attempt"))
            place.fence = fence
        if fence < place.highest:
            self.wrong.append(f"{slot}: {fence} began after {place.highest}")
        place.highest = max(place.highest, fence)
        return place

    def begin(
        self, slot: Slot, owner: str, fence: Fence, seconds: float, to: str | None, heard: asyncio.Future[None] | None
    ) -> Command:
        """Begin a command, as the wrapper does it."""
        place = self.fence_off(slot, fence)
        if place.running:
            self.wrong.append(f"{slot}: {fence} began while {[one.fence for one in place.running]} ran")
        fails = to is not None and place.fails_next
        if fails:
            place.fails_next = False
        now = self.clock.now
        command = Command(owner, fence, now + seconds, to, now + seconds / 2, fails, heard)
        place.running.append(command)
        return command

    def end(self, slot: Slot, command: Command, problem: Exception | None) -> None:
        """The command is gone from the host."""
        place = self.places[slot]
        if command in place.running:
            place.running.remove(command)
        command.tell(problem)

    def probe(self, slot: Slot) -> str | None:
        """The version that answers now, None when nothing does. Raises :class:`Unreachable`."""
        if slot[0] in self.unreachable:
            raise Unreachable
        place = self.places[slot]
        return place.version if place.serves else None

    @property
    def next_event(self) -> float | None:
        """When the next command acts or ends."""
        moments = [one.ends if one.has_acted else one.acts for _, _, one in self._commands()]
        return min(moments, default=None)

    def act(self) -> None:
        """Let the commands do what is due by the clock."""
        for slot, place, command in self._commands():
            if not command.has_acted and command.acts <= self.clock.now:
                command.has_acted = True
                if command.fence < place.highest:
                    self.wrong.append(f"{slot}: a command of {command.fence} acted after one of {place.highest} began")
                if command.to is not None:
                    place.version, place.serves = command.to, False
            if command.ends <= self.clock.now:
                if command.to is not None:
                    place.serves = not command.fails
                self.end(slot, command, Ended("exit status 1") if command.fails else None)

    def cut(self, *, host: str | None = None, owner: str | None = None) -> None:
        """The connections to a host, or of a worker, are gone. Commands die with them where the host sees to that."""
        for slot, _, command in self._commands():
            if host in (None, slot[0]) and owner in (None, command.owner):
                command.tell(Unreachable())
                command.heard = None
                if slot[0] not in self.outlive:
                    self.end(slot, command, None)

    def _commands(self) -> list[tuple[Slot, Place, Command]]:
        return [(slot, place, one) for slot, place in self.places.items() for one in list(place.running)]

    def standing(self) -> dict[Slot, Any]:
        """What really runs, for messages."""
        return {slot: (place.version, place.serves, place.running) for slot, place in self.places.items()}

"""How a rollout goes over its hosts: in which waves, when it stops, whether it waits after the first wave."""

from __future__ import annotations

import re
from dataclasses import dataclass

from deployer.domain.errors import N_, Invalid
from deployer.domain.hosts import MAX_HOSTS
from deployer.domain.status import OnFailure

_NUMBER = re.compile(r"[1-9][0-9]{0,4}", re.ASCII)
_PERCENT = re.compile(r"([1-9][0-9]?|100)%", re.ASCII)


@dataclass(frozen=True)
class WaveSize:
    """How many hosts one wave has: ``hosts``, or ``percent`` of all of them rounded up; neither means all at once."""

    hosts: int | None = None
    percent: int | None = None

    def __str__(self) -> str:
        """As a person types it; :func:`parse_wave_size` reads it back."""
        return f"{self.percent}%" if self.percent else str(self.hosts or "")

    def of(self, hosts: int) -> int:
        """The number of hosts in one wave of a rollout over ``hosts`` hosts, at least 1."""
        if self.percent is not None:
            return max(1, -(-hosts * self.percent // 100))
        return max(1, self.hosts or hosts)


EVERYTHING = WaveSize()


@dataclass(frozen=True)
class Strategy:
    """What a person chose. ``stop_after`` failed hosts, no further one is started."""

    wave_size: WaveSize = EVERYTHING
    stop_after: int = 1
    pause_after_first: bool = False
    on_failure: OnFailure = OnFailure.STOP

    def wave_of(self, position: int, hosts: int) -> int:
        """The wave, from 1, of the host at ``position`` (from 0) of ``hosts``."""
        return position // self.wave_size.of(hosts) + 1


AT_ONCE = Strategy()


def parse_wave_size(text: str) -> WaveSize:
    """``""`` (all at once), ``5`` (hosts) or ``25%``. Raises :class:`Invalid` on ``wave_size``."""
    if not text:
        return EVERYTHING
    if _NUMBER.fullmatch(text) and int(text) <= MAX_HOSTS:
        return WaveSize(hosts=int(text))
    if found := _PERCENT.fullmatch(text):
        return WaveSize(percent=int(found[1]))
    raise Invalid(
        N_("This is not the size of a wave."),
        N_("Give a number of hosts such as 5, or a share such as 25%%; leave it out for all hosts at once."),
        "wave_size",
        {"limit": MAX_HOSTS},
    )


def parse_stop_after(text: str) -> int:
    """A number of failed hosts from 1 up. Raises :class:`Invalid` on ``stop_after``."""
    if _NUMBER.fullmatch(text) and int(text) <= MAX_HOSTS:
        return int(text)
    raise Invalid(
        N_("This is not a number of failed hosts."),
        N_("Give a whole number from 1 to %(limit)s."),
        "stop_after",
        {"limit": MAX_HOSTS},
    )

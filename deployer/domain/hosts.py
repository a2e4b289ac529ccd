"""Which hosts a request is about: the word ``all``, or ids separated by commas (S10, S11)."""

from __future__ import annotations

from dataclasses import dataclass

from deployer.domain.errors import N_, Invalid
from deployer.domain.ids import parse_id

MAX_HOSTS = 10_000  # in one rollout
_MALFORMED = N_("The hosts are malformed: send all, or host ids separated by commas.")


@dataclass(frozen=True)
class HostChoice:
    """The hosts of a request: every instance on the source version, or exactly ``ids`` (no duplicates, as sent)."""

    everyone: bool
    ids: tuple[int, ...] = ()


def check_count(hosts: int) -> None:
    """Raise :class:`Invalid` on field ``host`` when one rollout cannot take so many."""
    if hosts > MAX_HOSTS:
        raise Invalid(
            N_("These are too many hosts."),
            N_("One rollout takes at most %(limit)s hosts. Split it into several."),
            "host",
            {"limit": MAX_HOSTS},
        )


def parse_host_ids(text: str) -> HostChoice:
    """Read ``all`` or ``3,5,9``. Raises :class:`Invalid` on field ``host`` for anything else."""
    if not text:
        raise Invalid(N_("The hosts must not be empty."), N_("Choose at least one host, or send all."), "host")
    if text == "all":
        return HostChoice(everyone=True)
    # Counted before splitting, so that a hostile list is never built up in memory.
    check_count(text.count(",") + 1)
    ids: list[int] = []
    seen: set[int] = set()
    for position, part in enumerate(text.split(","), start=1):
        value = parse_id(part)
        if value is None:
            raise Invalid(
                _MALFORMED,
                N_("Item %(position)s of the list is not a host id: a whole number from 1 up, in plain digits."),
                "host",
                {"position": position},
            )
        if value in seen:
            raise Invalid(
                _MALFORMED, N_("Host %(id)s is in the list twice. Name each host once."), "host", {"id": value}
            )
        seen.add(value)
        ids.append(value)
    return HostChoice(everyone=False, ids=tuple(ids))

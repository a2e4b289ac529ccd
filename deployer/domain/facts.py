"""What a check of a host looks for there, as one constant program, and what is made of its answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from deployer.domain.errors import N_, Note
from deployer.domain.release import Command

DEADLINE = 30.0  # seconds
MAX_SKEW = 5.0  # seconds
MIN_FREE = 1 << 30  # bytes
MIN_SHARE = 0.1  # of the disk
MAX_TEXT = 200  # characters of what a host says of itself
WARNED = N_("warnings")  # the kind of a check that found something to mend

# The host's directory. Reads only; each line is "deployer:name=value", so that a greeting is not taken for an answer.
# The clock comes first: when its line arrives is known.
PROGRAM = """
say() { printf 'deployer:%s=%s\\n' "$1" "$2"; }
say clock "$(date +%s)"
say user "$(id -un 2>/dev/null || id -u)"
for program in flock setsid tar awk find grep tail sha256sum readlink; do
  command -v "$program" >/dev/null || say missing "$program"
done
case $(mv --help 2>&1) in *-T*) ;; *) say missing 'mv -T' ;; esac
if [ -e /proc/self/stat ]; then say proc yes; else say proc no; fi
if [ -r /etc/os-release ]; then
  while IFS= read -r line; do
    case $line in PRETTY_NAME=*) say os "${line#PRETTY_NAME=}" ;; esac
  done </etc/os-release
fi
say kernel "$(uname -sr)"
at=$1
while [ ! -e "$at" ] && [ "$at" != / ]; do at=${at%/*}; at=${at:-/}; done
if [ "$at" = "$1" ]; then
  if [ ! -d "$at" ]; then say directory 'no directory'
  elif [ -w "$at" ] && [ -x "$at" ]; then say directory writable
  else say directory 'not writable'
  fi
elif [ -d "$at" ] && [ -w "$at" ] && [ -x "$at" ]; then say directory 'can be made'
else say directory 'cannot be made'
fi
df -Pk "$at" 2>/dev/null | {
  read -r _
  read -r _ total _ free _
  say disk_total "$total"
  say disk_free "$free"
}
if [ -r /proc/meminfo ]; then
  while read -r name value _; do
    case $name in
      MemTotal:) say memory_total "$value" ;;
      MemAvailable:) say memory_free "$value" ;;
    esac
  done </proc/meminfo
fi
say end yes
"""

# How the directory can be, in the words of the program.
DIRECTORIES = (
    N_("writable"),
    N_("can be made"),
    N_("not writable"),
    N_("cannot be made"),
    N_("no directory"),
)
_MARK = "deployer:"


class CheckState(StrEnum):
    """How the last check of a host ended."""

    NEVER = "never"  # nobody has looked
    OK = "ok"
    WARNED = "warned"  # it can be reached, and there is something to mend
    PROBLEM = "problem"  # it could not be looked at

    @staticmethod
    def of(checked: object, kind: str) -> CheckState:
        """The state of a host that was looked at at the moment ``checked``, with this outcome."""
        if checked is None:
            return CheckState.NEVER
        return CheckState.OK if not kind else CheckState.WARNED if kind == WARNED else CheckState.PROBLEM


@dataclass(frozen=True)
class HostFacts:
    """What a host said of itself. Sizes are bytes, times are seconds; None is not known.

    ``skew`` is how far its clock is ahead of the worker's, give or take half of ``round_trip``.
    """

    os: str
    user: str
    directory: str
    missing: tuple[str, ...]
    proc: bool
    disk_free: int | None
    disk_total: int | None
    memory_free: int | None
    memory_total: int | None
    skew: float | None
    round_trip: float
    refused: tuple[str, ...] = ()  # what stands in the way of files and of health checks, and what to do

    def dump(self) -> dict[str, Any]:
        """As it is kept."""
        return asdict(self) | {"missing": list(self.missing), "refused": list(self.refused)}

    @staticmethod
    def load(kept: Mapping[str, Any]) -> HostFacts:
        """The opposite of :meth:`dump`."""
        return HostFacts(**{**kept, "missing": tuple(kept["missing"]), "refused": tuple(kept.get("refused", ()))})


def look(directory: str) -> Command:
    """Look at the host and change nothing."""
    return Command(("sh", "-c", PROGRAM, "deployer", directory), DEADLINE)


def is_clock(line: str) -> bool:
    """Whether a line of the program's output is the one whose arrival tells the time."""
    return line.startswith(f"{_MARK}clock=")


def read_facts(lines: Iterable[str], asked: float, heard: float) -> HostFacts | None:
    """The facts in the program's output, None when it is not whole. ``asked`` is when the program was sent and
    ``heard`` when its clock came, both as seconds of the worker's own clock."""
    said: dict[str, str] = {}
    missing: list[str] = []
    for line in lines:
        name, _, value = line.removeprefix(_MARK).partition("=")
        if not line.startswith(_MARK):
            continue
        if name == "missing":
            missing.append(value[:MAX_TEXT])
        else:
            said[name] = value[:MAX_TEXT]
    if "end" not in said or said.get("directory") not in DIRECTORIES:
        return None
    clock = _number(said.get("clock", ""))
    return HostFacts(
        os=(said.get("os") or said.get("kernel") or "").strip("\"'"),
        user=said.get("user", ""),
        directory=said["directory"],
        missing=tuple(missing),
        proc=said.get("proc") == "yes",
        skew=None if clock is None else round(clock + 0.5 - (asked + heard) / 2, 1),  # it tells whole seconds
        round_trip=round(max(0.0, heard - asked), 3),
        disk_free=_kib(said.get("disk_free", "")),
        disk_total=_kib(said.get("disk_total", "")),
        memory_free=_kib(said.get("memory_free", "")),
        memory_total=_kib(said.get("memory_total", "")),
    )


def warnings(facts: HostFacts) -> list[Note]:
    """What should be mended on the host before anything is deployed there, each with how."""
    found: list[Note] = []
    if facts.missing:
        found.append(
            Note(
                N_("Not on the host: %(programs)s. Install them there; upgrades need them."),
                {"programs": ", ".join(facts.missing)},
            )
        )
    if not facts.proc:
        found.append(Note(N_("The host has no /proc. Mount it; without it no command can be kept to one at a time.")))
    found += [Note(N_("An upgrade may fail here: %(why)s"), {"why": why}) for why in facts.refused]
    if facts.directory in _DIRECTORY:
        found.append(Note(_DIRECTORY[facts.directory], {"user": facts.user or "?"}))
    if facts.disk_free is not None and _is_little(facts.disk_free, facts.disk_total):
        found.append(
            Note(
                N_("Only %(free)s are free on the disk of its directory. Make room: at least 1 GiB and 10 %%."),
                {"free": size(facts.disk_free)},
            )
        )
    if facts.skew is not None and abs(facts.skew) - facts.round_trip / 2 > MAX_SKEW:
        message = (
            N_("Its clock is %(seconds)s s ahead of the worker's. Let both follow a time server.")
            if facts.skew > 0
            else N_("Its clock is %(seconds)s s behind the worker's. Let both follow a time server.")
        )
        found.append(Note(message, {"seconds": f"{abs(facts.skew):.0f}"}))
    return found


_DIRECTORY = {
    "not writable": N_("User %(user)s cannot write its directory. Give it to that user, or log in as another one."),
    "cannot be made": N_(
        "Its directory is not there, and user %(user)s cannot make it. Make it, and give it to that user."
    ),
    "no directory": N_(
        "What is there instead of its directory is something else. User %(user)s needs a directory there."
    ),
}


def size(number: int) -> str:
    """A size in bytes for people."""
    value = float(number)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"


def _is_little(free: int, total: int | None) -> bool:
    return free < MIN_FREE or (total is not None and free < total * MIN_SHARE)


def _kib(text: str) -> int | None:
    number = _number(text)
    return None if number is None else number * 1024


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None

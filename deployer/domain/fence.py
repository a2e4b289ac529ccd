"""Never two commands on one host: what a command is wrapped in so that the host itself sees to it.

Nothing here runs anything. The wrapper is a constant program for a POSIX shell; values travel as arguments and
environment. Beside what every command needs (see ``release``), a host needs /proc, and util-linux (flock, setsid).

On the host, below ``<directory>/<service>/.deployer``, which only its owner can enter:

    gate    locked by a wrapper for as long as it is let in; nothing else ever holds it
    lock    locked for as long as a command runs, by it and by everything that it started and left behind
    fence   the newest command: step, attempt, and its process group, or 0 once it has come to its end

Whoever holds the gate knows that nobody but the recorded command can hold the lock, and may kill it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final

from deployer.domain.release import Command

REFUSED: Final = 75  # EX_TEMPFAIL: nothing was run
MISSING: Final = 127  # what a shell says of a program that it does not find
LATER, HOST, PROGRAM = "later", "host", "program"  # why nothing was run
_NO_ATTEMPT: Final = 10**9  # more than any step is ever given
_NAME = "deployer-fence"
_WORD = re.compile(rf"{_NAME} ({LATER}|{HOST}|{PROGRAM}): (.+)")

# root, step, attempt, then the command. Input: a pipe that nobody writes to, and that ends when nobody wants the
# command any more. Descriptors: 6 what the command has for its errors, 7 the gate, 8 the lifeline, 9 the lock.
WRAPPER: Final = r"""
root=$1 step=$2 attempt=$3
shift 3
state=$root/.deployer
guard= stopped=

dismiss_guard() {
  [ -z "$guard" ] || { kill -s KILL "$guard"; wait "$guard"; } 2>/dev/null
}
refuse() { # why, in words
  printf 'deployer-fence %s: %s\n' "$1" "$2" >&2
  dismiss_guard
  exit 75
}
refuse_path() { # path
  at=$root
  while [ ! -e "$at" ] && [ "$at" != / ]; do
    at=${at%/*}
    at=${at:-/}
  done
  for what in -Pk -Pi; do # bytes, files
    df "$what" "$at" 2>/dev/null | {
      read -r _
      read -r _ _ _ free _
      [ "$free" = 0 ]
    } && refuse host "The disk is full: no room is left in $at. Make room there, then try again."
  done
  refuse host "$1 cannot be written. See that there is room, and that the user of the commands may write there."
}
stop_if_told() {
  [ -n "$stopped" ] || return 0
  dismiss_guard
  exit 143
}

recall() { # the newest command, or zeros when there is none
  r_step= r_attempt= r_group=
  [ ! -e "$state/fence" ] || { read -r r_step r_attempt r_group _ <"$state/fence"; } 2>/dev/null
  for number in "$r_step" "$r_attempt" "$r_group"; do
    case $number in
      '' | *[!0-9]* | ???????????????????*) r_step=0 r_attempt=0 r_group=0 ;;
    esac
  done
}
record() { # process group. Overwritten in place by one write: whenever we are killed, a whole line is there.
  printf '%-63s\n' "$step $attempt $1" 1<>"$state/fence"
}

holds_lock() { # process, descriptor: whether it shares the lock, and has not merely the file open
  [ "/proc/$1/fd/$2" -ef "$state/lock" ] || return 1
  grep -qs FLOCK "/proc/$1/fdinfo/$2" || is_marked "$1" # some kernels hide a lock whose taker has ended
}
is_marked() { # process: whether the recorded command started it
  grep -qszxF "DEPLOYER_FENCE=$r_step $r_attempt $r_group $root" "/proc/$1/environ"
}
find_members() { # the living of the recorded group
  members=
  kill -s 0 -- "-$r_group" 2>/dev/null || return 0
  for stat in /proc/[0-9]*/stat; do
    { read -r line <"$stat"; } 2>/dev/null || continue
    process=${line%% *}
    set -- ${line##*) }
    case $1,$3 in
      [ZX],*) ;;
      *,"$r_group") members="$members $process" ;;
    esac
  done
}
is_ours() { # whether any member proves that the group is still the command's: numbers are used again
  for process in $members; do
    if is_marked "$process" || holds_lock "$process" 9; then return 0; fi
  done
  return 1
}
kill_group() { # what the recorded command left in its group; returns when all of it is dead
  case $r_group in 0 | 1 | $$) return 0 ;; esac
  find_members
  is_ours || return 0
  tries=200
  while [ -n "$members" ]; do
    kill -s KILL -- "-$r_group" 2>/dev/null
    [ $((tries -= 1)) -gt 0 ] || return 1
    sleep 0.05
    find_members
  done
}
kill_holders() { # descriptors, a pattern: everything else that shares the lock
  for descriptor in /proc/[0-9]*/fd/$1; do
    process=${descriptor#/proc/}
    process=${process%%/*}
    [ "$process" != $$ ] || continue
    if holds_lock "$process" "${descriptor##*/}"; then kill -s KILL "$process" 2>/dev/null; fi
  done
}
take_lock() {
  ! flock -n 9 || return 0
  recall # it may have come to its end meanwhile; then it lets go in a moment
  if [ "$r_group" = 0 ] && flock -w 1 9; then return 0; fi
  where=9
  for round in 1 2 3 4 5 6 7 8 9 10; do
    kill_group || return 1
    kill_holders "$where"
    ! flock -w 1 9 || return 0
    where='*'
  done
  return 1
}

case $1 in
  */*) [ -e "$1" ] ;;
  *) command -v "$1" >/dev/null ;;
esac || {
  printf 'deployer-fence program: The program %s is not on the host.\n' "$1" >&2
  exit 127
}
command -v flock >/dev/null || refuse host 'The program flock is not on the host. Install util-linux there.'
{ read -r _ _ _ _ group _ </proc/$$/stat; } 2>/dev/null || refuse host 'The host has no /proc.'
if [ "$group" != $$ ]; then # all that we may ever kill must be a group of our own: begin again as its leader
  end=$(printf '\001')
  text=$(tr '\000' '\001' </proc/$$/cmdline)
  text=${text#*"$end-c$end"}
  exec setsid sh -c "${text%%"$end"*}" deployer-fence "$root" "$step" "$attempt" "$@"
fi

trap 'stopped=yes' HUP INT TERM
exec 8<&0 </dev/null
# The guard: at the end of the lifeline, all of us die.
(
  trap '' HUP INT TERM
  while read -r _; do :; done
  kill -s KILL 0
) <&8 8<&- >/dev/null 2>&1 &
guard=$!

[ -d "$state" ] || (umask 022 && mkdir -p -- "$root" && mkdir -m 700 -- "$state") || [ -d "$state" ] ||
  refuse_path "$state"
command exec 7>>"$state/gate" || refuse_path "$state/gate"
flock -w 30 7 || refuse host 'Other commands have been waiting for this host for too long. Try again.'
stop_if_told
recall
if [ "$r_step" -gt "$step" ] || { [ "$r_step" -eq "$step" ] && [ "$r_attempt" -gt "$attempt" ]; }; then
  refuse later "A later command (step $r_step, attempt $r_attempt) was on this host. If Deployer's database was \
restored from a backup, remove $state/fence on the host."
fi
command exec 9>>"$state/lock" || refuse_path "$state/lock"
take_lock && recall && kill_group || refuse host "An earlier command does not end, perhaps because it runs as \
another user. End what it left behind on the host."
stop_if_told
record $$ 2>/dev/null || refuse_path "$state/fence"
exec 7>&-

DEPLOYER_FENCE="$step $attempt $$ $root"
export DEPLOYER_FENCE
exec 6>&2 2>/dev/null # the shell's own remarks on how a command ended are no part of what it says
(exec "$@") 2>&6 6>&- 8<&-
status=$?
dismiss_guard
# Whatever goes on after a normal end was meant to: it is left alone, and what it has inherited of the lock is freed.
# After any other end, the next command kills it. 128 and up to 64 more stand for a signal.
if [ -z "$stopped" ] && { [ "$status" -le 128 ] || [ "$status" -gt 192 ]; }; then
  record 0
  flock -u 9
fi
exit "$status"
"""


@dataclass(frozen=True, order=True)
class Fence:
    """Who a command is for: of two, the one with the lower fence has no business on the host any more."""

    step_id: int
    attempt: int

    @classmethod
    def after(cls, step_id: int) -> Fence:
        """The fence of what comes after every attempt of a step that has ended, and before any later step."""
        return cls(step_id, _NO_ATTEMPT)


def fenced(command: Command, root: str, fence: Fence) -> Command:
    """``command`` in its wrapper, which keeps its state below ``root``. A runner must give it a lifeline."""
    argv = ("sh", "-c", WRAPPER, _NAME, root, str(fence.step_id), str(fence.attempt), *command.argv)
    return replace(command, argv=argv, lifeline=True)


def word(line: str) -> tuple[str, str] | None:
    """Why the wrapper ran nothing, and that in words; None when ``line`` is not the wrapper's."""
    found = _WORD.fullmatch(line)
    return (found[1], found[2]) if found else None

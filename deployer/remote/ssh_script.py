"""What a host is told: one constant line for any login shell, and what is sent to it over its input.

Nothing here runs anything. Arguments and environment come over the input, so that they are never seen in the host's
list of processes or in sshd's log. A host needs sh, env, head and, for login shells that do not lead a session, setsid.
"""

from __future__ import annotations

import os
import re
import shlex
from typing import Final

from deployer.domain.release import Command
from deployer.remote.runner import RunnerError

# It means the same to sh, csh, fish and a restricted bash: no newline, exclamation mark or backslash, no path of a
# program, single quotes outside and none inside. What it starts leads a session, for whatever we may have to kill must
# be a group of our own, and has nothing of the login's environment but this. Then it does what it is sent: a number of
# bytes, and these bytes.
LINE: Final = (
    "sh -c '"
    "read -r x x x x g x </proc/$$/stat; s=; "
    '[ "${g:-$$}" = $$ ] || s=setsid; '
    'exec env -i PATH="${PATH:-/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin}" '
    'HOME="${HOME:-/}" LANG=C.UTF-8 $s sh -c "$0"'
    '\' \'read -r n && eval "$(head -c "$n")"\''
)
READY, PROGRAM, DIRECTORY, START = "ready", "program", "directory", "start"

# Before it: _deployer_mark, _deployer_cwd, _deployer_lifeline, the function _deployer_environment, and the command as
# its arguments. The mark is a word that nobody else knows: what precedes its line was said by the login shell.
_BEGIN: Final = r"""
_deployer_say() {
  printf '%s\n' "$_deployer_mark" >&2
  printf '%s %s %s\n' "$_deployer_mark" "$1" "$2"
}
_deployer_refuse() {
  _deployer_say "$1" "$2"
  exit 127
}
_deployer_find() { # program: where the search path has it
  IFS=:
  set -f
  for _deployer_path in $PATH; do
    [ ! -f "${_deployer_path:-.}/$1" ] || { [ -x "${_deployer_path:-.}/$1" ] && return 0; }
  done
  return 1
}
cd "$_deployer_cwd" 2>/dev/null || {
  [ -e "$_deployer_cwd" ] || [ -L "$_deployer_cwd" ] || _deployer_refuse directory 'No such file or directory'
  [ -d "$_deployer_cwd" ] || _deployer_refuse directory 'Not a directory'
  _deployer_refuse directory 'Permission denied'
}
unset OLDPWD PWD
_deployer_environment
case $1 in
  */*)
    [ -e "$1" ] || _deployer_refuse program ''
    [ ! -d "$1" ] && [ -x "$1" ] || _deployer_refuse start 'Permission denied'
    ;;
  *) (_deployer_find "$1") || _deployer_refuse program '' ;;
esac
_deployer_say ready "$$"
[ -z "$_deployer_lifeline" ] || exec "$@"
trap : HUP INT TERM
exec 3<&0 </dev/null
# The guard: at the end of the connection, all of us die.
(
  trap '' HUP INT TERM
  while read -r _; do :; done
  kill -s KILL -- "-$$"
) <&3 3<&- >/dev/null 2>&1 &
_deployer_guard=$!
exec 3<&- 4>&2 2>/dev/null # the shell's own remarks on how a command ended are no part of what it says
(exec "$@") 2>&4 4>&-
_deployer_status=$?
kill -s KILL "$_deployer_guard"
wait "$_deployer_guard"
exit "$_deployer_status"
"""

# _deployer_group: its leader may clean up for a while; then all that is left of it is killed.
_END: Final = r"""
kill -s TERM -- "-$_deployer_group" || exit 0
tries=%d
while [ "$((tries -= 1))" -gt 0 ] && kill -s 0 "$_deployer_group"; do sleep 0.1; done
kill -s KILL -- "-$_deployer_group"
"""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


def begin(command: Command, mark: str) -> bytes:
    """What makes the line run ``command``: its standard output begins with a line of ``mark``, READY and its process
    group, or of ``mark`` and why it was not run. The input that follows is its lifeline, or ends it when it ends."""
    for name, value in command.env.items():
        if not _NAME.fullmatch(name) or "\0" in value:
            raise RunnerError(f"{name} cannot be set in the environment of a command.", "Give it another name.")
    if any("\0" in word for word in (*command.argv, command.cwd or "")):
        raise RunnerError("A command cannot have a zero character in it.", "Correct the recipe.")
    exports = "".join(f"export {name}={shlex.quote(value)}; " for name, value in command.env.items())
    half = len(mark) // 2
    text = (
        # A start file that begins another shell makes that read all this as its own: it has no $n. Nor may an echo of
        # this be taken for an answer, so the mark is written in two pieces.
        '[ -n "$n" ] || exit 126\n'
        f"_deployer_mark={mark[:half]}''{mark[half:]} _deployer_cwd={shlex.quote(command.cwd or '/')}"
        f" _deployer_lifeline={'yes' if command.lifeline else ''}\n"
        f"_deployer_environment() {{ {exports}:; }}\n"
        f"set -- {shlex.join(command.argv)}\n" + _BEGIN
    )
    return _sized(text)


def end(group: int, grace: float) -> bytes:
    """What makes the line end a process group: TERM, and KILL after ``grace`` seconds."""
    return _sized(f"_deployer_group={group}\n" + _END % int(grace * 10))


def _sized(text: str) -> bytes:
    data = os.fsencode(text)
    return b"%d\n%s" % (len(data), data)

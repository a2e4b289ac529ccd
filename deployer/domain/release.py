"""The commands of a deployment, as data: what to run on a host, with which environment, within which time.

Nothing here runs anything, and nothing is ever formatted into shell text: programs are constants, values travel as
arguments and environment. A host needs a POSIX shell, tar, awk, find, grep, head, tail, sha256sum, readlink and
``mv -T``, which is any Linux.

On the host, below ``<directory>/<service>``::

    releases/<label>/   one unpacked release each; .deployer-sha256 inside says of which archive
    current             a symbolic link to the release in use
    incoming/           work in progress; before every deployment, emptied of all but what it can use
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

MOST_MEMBERS = 250_000  # of an archive
MOST_BYTES = 16 * 1024**3  # that it unpacks to

_FAIL = """
set -eu
umask 022
fail() { printf '%s\\n' "$1" >&2; exit 1; }
"""

# root, label, sha256 ("" accepts whatever was unpacked under that label), label we come from ("" if unknown).
# What has arrived of this very archive is kept, so that only the rest has to be sent. It is kept as a copy: an earlier
# worker's transfer, which no fence ends, may still write to the file that it has open.
PREPARE = (
    _FAIL
    + """
mkdir -p "$1/releases"
cd "$1"
in_use=
if [ -L current ]; then
  in_use=$(readlink current)
elif [ -e current ]; then
  fail "current is not a symbolic link; move it away, then try again."
fi
marker="releases/$2/.deployer-sha256"
archive="incoming/$2.archive"
kept=
meant=$(cat incoming/.sha256 2>/dev/null) || meant=
rm -rf incoming.new
mkdir incoming.new
if [ -f "$marker" ] && { [ -z "$3" ] || [ "$(cat "$marker")" = "$3" ]; }; then
  kept=yes
elif [ -f "$archive" ] && [ ! -L "$archive" ] && { [ -z "$3" ] || [ "$meant" = "$3" ]; }; then
  cp "$archive" "incoming.new/$2.archive" 2>/dev/null || rm -f "incoming.new/$2.archive"
fi
{ printf '%s\\n' "${3:-$meant}" >incoming.new/.sha256; } 2>/dev/null || : # no room: then nothing is kept next time
rm -rf incoming
mv -T incoming.new incoming
printf 'current=%s\\n' "$in_use"
if [ -n "$kept" ]; then
  echo release=kept
elif [ "$in_use" = "releases/$2" ] && [ -d "$in_use" ]; then
  fail "releases/$2 is in use and was not unpacked from this archive; it cannot be replaced while it runs."
fi
if [ -n "$4" ] && [ -d "releases/$4" ]; then
  echo origin=kept
fi
"""
)

# root, label, sha256, most members, most bytes unpacked. A release appears under its name only when it is complete, and
# nothing else stays behind.
# Whatever the archive says, no member runs as its owner, none can be written by others, and none shuts us out.
UNPACK = (
    _FAIL
    + """
root=$1
label=$2
cd "$root/incoming"
clear_away() {
  [ . -ef "$root/incoming" ] || return 0 # it is another deployment's by now
  cd "$root"
  chmod -R u+rwX incoming 2>/dev/null || :
  rm -rf incoming || :
}
trap clear_away EXIT
trap 'exit 1' HUP INT TERM
archive="./$label.archive"
found=$(sha256sum <"$archive")
found=${found%% *}
[ "$found" = "$3" ] || fail "The archive's sha256 is $found, but $3 is recorded for this version."
# A small archive can unpack to more than the disk holds. Nothing is written before it is clear how much it is.
much=$(tar --numeric-owner -tvf "$archive" 2>/dev/null | awk -v members="$4" -v bytes="$5" '
  { size = $3; if (size ~ /^[0-9]+$/) sum += size }
  NR > members || sum > bytes || length($0) > 8192 { print "too much"; exit }
')
[ -z "$much" ] || fail "The archive has more than $4 members, or unpacks to more than $5 bytes. Build it again smaller."
if ! tar -tf "$archive" >names; then
  tar -tf "$archive" >/dev/null || fail "The archive is not one that tar can read on this host."
  fail "The list of the archive's members could not be written. Make room on the host's disk, then try again."
fi
if grep -Eq '^/|(^|/)\\.\\.(/|$)' names; then
  fail "The archive has a member with an absolute path or with .. in its path; build it again without."
fi
mkdir unpacked
said=$({ tar -x --no-same-permissions -o -f "$archive" -C unpacked 2>&1 || echo failed; } | tail -n 5)
case $said in
  *failed)
    printf '%s\\n' "$said" >&2
    fail "The archive could not be unpacked: ${said%%
*}"
    ;;
  ?*) printf '%s\\n' "$said" ;;
esac
chmod -R u+rwX unpacked
if [ -n "$(find unpacked ! -type f ! -type d ! -type l | head -n 1)" ]; then
  fail "The archive has a member that is neither a file, a directory nor a symbolic link."
fi
find unpacked -type l -exec sh -c '
  base=$1
  shift
  for link do
    case $(readlink "$link") in /*) exit 1 ;; esac
    target=$(readlink -f "$link") || exit 1
    case $target/ in "$base"/*) ;; *) exit 1 ;; esac
  done
' sh "$(cd unpacked && pwd -P)" {} + || fail "The archive has a symbolic link that leads out of the release or nowhere."
rm -rf unpacked/.deployer-sha256
printf '%s\\n' "$3" >unpacked/.deployer-sha256
rm -rf "../releases/$label"
mv -T unpacked "../releases/$label"
"""
)

# root, label, sha256: what UNPACK checks first, for a recipe that unpacks by itself.
VERIFY = (
    _FAIL
    + """
found=$(sha256sum <"$1/incoming/$2.archive")
found=${found%% *}
[ "$found" = "$3" ] || fail "The archive's sha256 is $found, but $3 is recorded for this version."
"""
)

# root, link target. Prints the previous target. The rename is one step: there is no moment without a current release.
SWITCH = (
    _FAIL
    + """
cd "$1"
[ -d "$2" ] || fail "$2 is not on this host."
if [ -e current ] && [ ! -L current ]; then
  fail "current is not a symbolic link; move it away, then try again."
fi
[ ! -L current ] || readlink current
rm -rf .current.new
ln -s "$2" .current.new
mv -fT .current.new current
[ ! -f "$2/.deployer-sha256" ] || touch "$2/.deployer-sha256"
"""
)

# root, how many to keep, label we came from. Counts from the release used last; what we did not unpack stays.
PRUNE = (
    _FAIL
    + """
cd "$1"
keep=$2
in_use=$(readlink current)
mkdir -p incoming
cd releases
ls -1t -- */.deployer-sha256 | while IFS= read -r marker; do
  label=${marker%/*}
  keep=$((keep - 1))
  [ "$keep" -lt 0 ] || continue
  [ "releases/$label" != "$in_use" ] || continue
  [ "$label" != "$3" ] || continue
  mv -T "$label" "../incoming/$label"
  rm -rf "../incoming/$label"
  printf 'Removed the old release %s.\\n' "$label"
done
rm -rf ../incoming
"""
)


@dataclass(frozen=True)
class Task:
    """One version on its way to one host."""

    service: str
    hostname: str
    address: str
    port: int
    directory: str  # the host's base directory
    from_version: str | None
    to_version: str
    artifact: Path | None  # on the worker; None when there is nothing to send
    sha256: str | None

    @property
    def root(self) -> str:
        """The service's own directory on the host."""
        return str(PurePosixPath(self.directory, self.service))

    @property
    def current(self) -> str:
        """The link to the release in use."""
        return str(PurePosixPath(self.root, "current"))

    @property
    def archive(self) -> str:
        """Where the artifact is put on the host."""
        return str(PurePosixPath(self.root, "incoming", f"{self.to_version}.archive"))


@dataclass(frozen=True)
class Command:
    """What to run on a host. ``cwd`` None is the root directory; ``deadline`` is in seconds.

    A ``lifeline`` is an input that nothing is written to and that ends, at the latest, when whoever runs the command
    does: the command can tell that nobody waits for it any more. Without one, the input is empty.
    """

    argv: tuple[str, ...]
    deadline: float
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: str | None = None
    lifeline: bool = False


def prepare(task: Task) -> Command:
    """Make the directories; print what is in use and whether the target and the origin are kept on the host."""
    return _program(PREPARE, 300, task.root, task.to_version, task.sha256 or "", task.from_version or "")


def unpack(task: Task, sha256: str) -> Command:
    """Verify the uploaded archive and turn it into a complete release, or leave no release at all."""
    return _program(UNPACK, 600, task.root, task.to_version, sha256, str(MOST_MEMBERS), str(MOST_BYTES))


def verify(task: Task, sha256: str) -> Command:
    """Verify the uploaded archive."""
    return _program(VERIFY, 300, task.root, task.to_version, sha256)


def switch(task: Task, target: str) -> Command:
    """Point ``current`` at ``target`` (a path relative to the root, or what the link held before)."""
    return _program(SWITCH, 60, task.root, target)


def prune(task: Task, keep: int) -> Command:
    """Remove all but the ``keep`` releases used last; never the one in use nor the one we came from."""
    return _program(PRUNE, 300, task.root, str(keep), task.from_version or "")


def nothing() -> Command:
    """Do nothing, but take the host: whatever an earlier command left at work there has ended."""
    return Command(("true",), 60)


def own_command(task: Task, argv: tuple[str, ...], action: str, deadline: float, cwd: str | None = None) -> Command:
    """A command of the team's own, for ``action``: deploy, restart, health or probe."""
    return Command(argv, deadline, environment(task, action), cwd)


def environment(task: Task, action: str) -> dict[str, str]:
    """What a team's own commands are told."""
    return {
        "DEPLOYER_ACTION": action,
        "DEPLOYER_SERVICE": task.service,
        "DEPLOYER_VERSION": task.to_version,
        "DEPLOYER_FROM_VERSION": task.from_version or "",
        "DEPLOYER_ARTIFACT": task.archive if task.artifact else "",
        "DEPLOYER_HOST": task.hostname,
        "DEPLOYER_ADDRESS": task.address,
        "DEPLOYER_PORT": str(task.port),
        "DEPLOYER_ROOT": task.root,
    }


def _program(text: str, deadline: float, *arguments: str) -> Command:
    return Command(("sh", "-c", text, "deployer", *arguments), deadline)

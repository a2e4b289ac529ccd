"""The restart command of the chaos fleet: the demo's real one, with evidence that it was alone on its service and host.

Run by itself, never imported: ``command.py EVIDENCE SEED`` in the directory of a release. The lock is held by whatever
belongs to the command, for as long as that lives; the service it starts does not inherit it.
"""

from __future__ import annotations

import fcntl
import json
import os
import random
import sys
import time
from pathlib import Path


def main() -> None:
    """Take the lock, say so if somebody has it, last a while, and become the real command."""
    evidence, seed = Path(sys.argv[1]), sys.argv[2]
    place = f"{os.environ['DEPLOYER_SERVICE']}@{os.environ['DEPLOYER_HOST']}"
    note = evidence / f"{place}.commands"
    with note.open("a") as file:
        dice = random.Random(f"{seed} {place} {file.tell()}")
        file.write(json.dumps({"at": time.time(), "version": os.environ["DEPLOYER_VERSION"]}) + "\n")
    # Half of them are like a shell script: what does the work is a child, and outlives a parent that is killed.
    if dice.random() < 0.5 and (child := os.fork()):
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    lock = os.open(evidence / f"{place}.lock", os.O_RDWR | os.O_CREAT)
    os.set_inheritable(lock, True)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        with (evidence / "overlaps").open("a") as file:
            file.write(f"{place} at {time.time():.2f}\n")
    time.sleep(dice.uniform(0.3, 1.5) if dice.random() < 0.9 else 6)
    os.execv(sys.executable, [sys.executable, "restart.py"])


if __name__ == "__main__":
    main()

"""What a command line costs: its wall time, and the CPU of every process that it starts, also of those it leaves."""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
PATIENCE = 600.0


@dataclass(frozen=True)
class Cost:
    """``wall`` and ``cpu`` (user and system) in seconds; ``peak`` is of its largest process, in MB; ``said`` is its
    standard output."""

    wall: float
    cpu: float
    peak: float
    said: str


def cost_of(argv: Sequence[str], log: Path, env: Mapping[str, str] | None = None) -> Cost:
    """Run ``argv`` to its end. Its errors go to the file ``log``; an end with another status than 0 raises them."""
    whole = [sys.executable, "-S", "-E", __file__, *argv]
    with log.open("wb") as errors:
        ended = subprocess.run(
            whole, check=False, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, env=env
        )
    if ended.returncode:
        told = log.read_text(errors="replace") + ended.stdout.decode(errors="replace")
        raise RuntimeError(f"{' '.join(argv)[:300]} ended with status {ended.returncode}: {told[-3000:]}")
    said, _, told = ended.stdout.decode(errors="replace").rstrip("\n").rpartition("\n")
    return Cost(said=said, **json.loads(told))


def main(argv: list[str]) -> int:
    """Run ``argv`` as the only child of this process, which takes no part in what is measured; tell its cost last."""
    # A process whose parent has ended becomes our child: the masters of shared connections live on in the background.
    prctl = ctypes.CDLL(None).prctl
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    began = time.perf_counter()
    process = subprocess.Popen(
        argv,
        preexec_fn=lambda: prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0),  # noqa: PLW1509 (we have no threads)
    )
    status = process.wait(PATIENCE)
    wall = time.perf_counter() - began
    end_the_others()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    told = {"wall": wall, "cpu": used.ru_utime + used.ru_stime, "peak": used.ru_maxrss / 1024}
    print(f"\n{json.dumps(told)}", flush=True)
    return status


def end_the_others() -> None:
    """End what is left, and wait for it: only then its CPU counts."""
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    while left := children.read_text().split():
        for pid in left:
            os.kill(int(pid), signal.SIGTERM)
        for _ in left:
            os.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

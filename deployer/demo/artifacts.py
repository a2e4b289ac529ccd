"""The demo's artifacts: real archives of a real little service, one per version."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

PAYLOAD = Path(__file__).resolve().parent / "payload"
MOMENT = 1_700_000_000  # of every file in every archive, so that the same content is the same archive


class Behaviour(StrEnum):
    """What the service of an artifact does once it is started."""

    OK = "ok"
    UNHEALTHY = "unhealthy"  # it starts and tells its version, but its health check answers 500
    CRASH = "crash"  # it ends at once


@dataclass(frozen=True)
class Artifact:
    """An archive and its sha256."""

    path: Path
    sha256: str


def build_artifact(directory: Path, service: str, version: str, behaviour: str) -> Artifact:
    """Write ``<directory>/<service>-<version>.tar.gz``; the same arguments give the same bytes."""
    files = {
        "VERSION": f"{version}\n".encode(),
        "behaviour": f"{Behaviour(behaviour)}\n".encode(),
        "restart.py": (PAYLOAD / "restart.py").read_bytes(),
        "service.py": (PAYLOAD / "service.py").read_bytes(),
    }
    content = io.BytesIO()
    with (
        gzip.GzipFile(filename="", mode="wb", fileobj=content, mtime=MOMENT) as compressed,
        tarfile.open(fileobj=compressed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for name, data in sorted(files.items()):
            member = tarfile.TarInfo(name)
            member.size, member.mtime, member.mode = len(data), MOMENT, 0o644
            archive.addfile(member, io.BytesIO(data))
    path = directory / f"{service}-{version}.tar.gz"
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_bytes(content.getvalue())
    unfinished.replace(path)
    return Artifact(path, hashlib.sha256(content.getvalue()).hexdigest())

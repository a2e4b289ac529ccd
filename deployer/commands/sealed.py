"""What ``deployer doctor`` says of credentials: whether the keys here open what is sealed in the database."""

from __future__ import annotations

import os
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from deployer import sealing
from deployer.config import Settings
from deployer.domain.reach import CredentialKind
from deployer.extensions import db
from deployer.jobs import identity
from deployer.models import CredentialRow, SealingKey
from deployer.queries import workers

REPLACE = "deployer credential replace NAME"


def problem(settings: Settings) -> str:
    """What is wrong, and how to mend it; "" when all is well, or when workers run on other machines only."""
    try:
        rows = db.session.execute(select(CredentialRow).order_by(CredentialRow.name)).scalars().all()
        published = db.session.execute(select(SealingKey.public)).scalar()
        living = workers.living()
    except SQLAlchemyError:
        return "It is not known whether they can be opened, because the database cannot be read."
    if living and not any(identity.is_here(worker.name) for worker in living):
        return ""  # nobody opens anything here
    sealed = [row for row in rows if row.sealed is not None]
    try:
        keys = sealing.found(settings.home)
    except sealing.BadKeys as bad:
        return str(bad)
    unfit = _missing(settings.home, sealed) if keys is None else _unfit(keys, sealed, published)
    return unfit or _unreadable([row for row in rows if row.kind is CredentialKind.FILE])


def _unfit(keys: sealing.Keys, sealed: list[CredentialRow], published: str | None) -> str:
    unopened = [row.name for row in sealed if not _opens(keys, row)]
    if unopened:
        return (
            f"No key here opens {', '.join(unopened)}. Give all workers the same keys, the newest first "
            f"({sealing.VARIABLE}, or credential.key in their homes), or type the secrets in again: "
            f"deployer credential rotate, then {REPLACE}"
        )
    if published is not None and published not in keys.publics:
        return (
            "The console seals for a key that is not here, so what is added now cannot be opened. "
            "Run, with the settings of the worker: deployer credential rotate"
        )
    return ""


def _missing(home: Path, sealed: list[CredentialRow]) -> str:
    if not sealed:
        return ""  # the first worker makes one
    return (
        f"{home / sealing.FILE} is missing, and {len(sealed)} are sealed. Put its copy there, or set "
        f"{sealing.VARIABLE} as the workers have it. If there is no copy, type the secrets in again: "
        f"deployer credential rotate, then {REPLACE}"
    )


def _opens(keys: sealing.Keys, row: CredentialRow) -> bool:
    try:
        keys.open(row.sealed or b"", row.name)
    except sealing.CannotOpen:
        return False
    return True


def _unreadable(files: list[CredentialRow]) -> str:
    bad = [f"{row.public} of {row.name}" for row in files if not os.access(Path(row.public).expanduser(), os.R_OK)]
    if not bad:
        return ""
    return f"The key file {', '.join(bad)} cannot be read here. Put it there. {sealing.AS_THE_WORKER}."

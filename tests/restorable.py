"""An application whose database goes back to what it was, for a module of tests that change everything."""

from __future__ import annotations

import shutil
from pathlib import Path

from deployer.extensions import db


def keep(file: Path) -> None:
    """Remember what is in the SQLite file of the current application now."""
    db.session.execute(db.text("PRAGMA wal_checkpoint(TRUNCATE)"))
    db.session.remove()
    shutil.copy(file, f"{file}.kept")


def restore(file: Path) -> None:
    """Undo what was done to it since."""
    db.session.remove()
    db.engine.dispose()
    for end in ("-wal", "-shm"):
        Path(f"{file}{end}").unlink(missing_ok=True)
    shutil.copy(f"{file}.kept", file)

"""Which workers live. Redis forgets them when it is wiped; this table does not."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from deployer.extensions import db
from deployer.models.columns import Moment


class WorkerRow(db.Model):  # type: ignore[name-defined,misc]
    """One worker process. ``seen`` is the database's clock; a row that is not renewed is of a worker that died."""

    __tablename__ = "worker"

    name: Mapped[str] = mapped_column(String(200), primary_key=True)  # machine:process id
    slots: Mapped[int]
    started: Mapped[datetime] = mapped_column(Moment)
    seen: Mapped[datetime] = mapped_column(Moment, index=True)

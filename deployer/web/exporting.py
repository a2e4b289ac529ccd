"""The record of changes as a file: sent while it is read, however long it is."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from typing import Any

from flask import Flask, Response, current_app

from deployer.domain.errors import N_, Invalid
from deployer.queries import audit
from deployer.queries.audit import AuditFilter, AuditLine

FORMATS = {"csv": "text/csv", "jsonl": "application/jsonl"}
_FORMULA = tuple("=+-@\t\r\n＝＋－＠")  # with these a spreadsheet takes a cell for a formula


def parse_format(text: str) -> str:
    """The format of a file. Raises Invalid on ``format``."""
    if text not in FORMATS:
        choices = {"choices": ", ".join(FORMATS)}
        raise Invalid(N_("This is not a format of this file."), N_("Use one of: %(choices)s."), "format", choices)
    return text


def entry_json(line: AuditLine) -> dict[str, Any]:
    """A change on the wire."""
    return {
        "id": line.id,
        "at": line.at.isoformat(),
        "actor": line.actor,
        "verb": line.verb,
        "noun": line.noun,
        "noun_id": line.noun_id,
        "service_id": line.service_id,
        "rollout_id": line.rollout_id,
        "source": line.source,
        "token": line.token,
        "refused": line.refused,
        "facts": line.facts,
    }


def download(wanted: AuditFilter, seen: frozenset[int] | None, kind: str) -> Response:
    """The changes that match, oldest first, as a file: those of the services that are ``seen`` (None: all)."""
    lines = _lines(current_app._get_current_object(), wanted, seen, audit.newest())  # type: ignore[attr-defined]
    rows = _csv(lines) if kind == "csv" else (json.dumps(entry_json(line)) + "\n" for line in lines)
    answer = Response(rows, mimetype=FORMATS[kind])
    answer.headers["Content-Disposition"] = f'attachment; filename="audit.{kind}"'
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _lines(app: Flask, wanted: AuditFilter, seen: frozenset[int] | None, last: int) -> Iterator[AuditLine]:
    """A batch at a time; no transaction is open while one is sent."""
    after = 0
    while True:
        with app.app_context():
            rows = audit.batch(wanted, seen, after, last)
        yield from rows
        if len(rows) < audit.BATCH:
            return
        after = rows[-1].id


def _csv(lines: Iterable[AuditLine]) -> Iterator[str]:
    page = io.StringIO()
    writer = csv.writer(page)
    header = True
    for line in lines:
        entry = entry_json(line)
        if header:
            writer.writerow(entry)
            header = False
        writer.writerow(_cell(value) for value in entry.values())
        yield page.getvalue()
        page.seek(0)
        page.truncate()
    if header:
        yield ",".join(AuditLine.__dataclass_fields__) + "\r\n"


def _cell(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text

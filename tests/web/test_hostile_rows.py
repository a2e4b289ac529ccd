"""Whatever stands in the database, a page shows it as text: every page is drawn with hostile text in every column that
holds free text, and read for elements and attributes that are not ours."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

from sqlalchemy import Enum, String, Text

from deployer.domain.access import Role
from deployer.extensions import db
from tests.web.town import PEOPLE, Town, routes, things

MARK = "zqx"
HOSTILE = (
    f"""'"><script>{MARK}()</script><img src=x onerror={MARK}()><a href="javascript:{MARK}()">"""
    "{{7*191}}</a><!--"
)
# What has a form of its own that is read before it is shown, or opens doors.
NOT_TEXT = {
    "sha256",
    "artifact_sha256",
    "password_hash",
    "device_key",
    "address",
    "key",
    "fingerprint",
    "public",
    "sealed",
    "wave_size",
    "plan_token",
    "jump",
    "verb",
    "noun",
    "version_num",
    "issuer",
    "subject",
}


class Elements(HTMLParser):
    """What a browser would make of a page."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.wrong: list[str] = []
        self.shown = 0
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            text = (value or "").strip().lower()
            runs = name in ("href", "src", "action") and text.startswith(("javascript:", "data:"))
            if name.startswith("on") or runs:
                self.wrong.append(f"<{tag} {name}={value!r}>")
            self.shown += MARK in text
        source = dict(attrs).get("src") or ""
        if tag in ("img", "iframe", "object", "embed", "base", "style"):
            self.wrong.append(f"<{tag}>")
        if tag == "script" and not source.startswith("/static/"):
            self.wrong.append("<script> of somebody else")

    def handle_data(self, data: str) -> None:
        self.shown += MARK in data
        if "1337" in data and MARK in data:
            self.wrong.append("a template in what somebody wrote was filled in")

    def handle_comment(self, data: str) -> None:
        if MARK in data:
            self.wrong.append("a comment")


def soil() -> int:
    """Write it into every free text there is; into how many columns."""
    soiled = 0
    with db.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA ignore_check_constraints = ON")
        for trigger in ("audit_entry_kept", "audit_entry_kept_update", "audit_entry_kept_delete"):
            connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {trigger}")
        names = [row[0] for row in connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'trigger'")]
        for name in names:
            connection.exec_driver_sql(f'DROP TRIGGER "{name}"')
        for table in db.metadata.sorted_tables:
            for column in table.columns:
                free = isinstance(column.type, String | Text) and not isinstance(column.type, Enum)
                if free and column.name not in NOT_TEXT and not column.foreign_keys:
                    key = "id" if "id" in table.columns else "rowid"
                    text = HOSTILE.replace("'", "''")
                    connection.exec_driver_sql(f"""UPDATE "{table.name}" SET "{column.name}" = {key} || '{text}'""")
                    soiled += 1
        connection.commit()
    return soiled


def test_no_template_has_what_somebody_wrote_translated() -> None:
    """What is translated counts as markup; so ``_`` is for texts of the template, the filter ``word`` for others."""
    others = re.compile(r"""(?<![\w.])_\((?:(?!["'])[^)]*|["'][^"']*["']\s*[~+%][^)]*)\)""")
    templates = sorted((Path(__file__).parents[2] / "templates").rglob("*.html"))
    found = [f"{file.name}: {text}" for file in templates for text in others.findall(file.read_text())]
    assert found == []


def test_no_page_takes_what_somebody_wrote_for_markup(town: Town) -> None:
    town.as_it_was()
    administrator = next(one for one in PEOPLE if one.role is Role.ADMINISTRATOR)
    assert soil() > 25
    wrong, shown, drawn = [], 0, 0
    for rule, method, _ in routes(town.app):
        if method != "GET" or rule.rule.startswith(("/api/", "/static")):
            continue
        for of in things(rule):
            answer = town.call(administrator, rule, method, of)
            if answer.mimetype != "text/html":
                continue
            page = Elements(answer.text)
            drawn += answer.status_code == 200
            shown += bool(page.shown)
            if page.wrong or answer.status_code >= 500:
                wrong.append((rule.rule, answer.status_code, page.wrong[:3]))
    assert wrong == []
    assert (drawn > 30, shown > 20) == (True, True), (drawn, shown)
    town.as_it_was()

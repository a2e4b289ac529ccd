"""The record of what was done: told in sentences, searched, taken along, and only by those who may."""

from __future__ import annotations

import ast
import csv
import io
import json
import re
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import insert

from deployer import operations as package
from deployer.domain.access import Role, Scope, Verb
from deployer.extensions import db
from deployer.models import AuditEntry
from deployer.operations import roles, tokens
from deployer.operations.transaction import audit, transaction
from deployer.queries import audit as queries
from deployer.queries import names
from deployer.web.recalled import NOUNS, SENTENCES, VERBS
from tests.web.conftest import Visitor
from tests.web.test_live import roll_out, visitor_of
from tests.web.test_statements import statements
from tests.world import ADMIN, World


def told(page: str) -> list[str]:
    """The sentences of a page."""
    found = re.findall(r'<td class="told">(.*?)</td>', page, re.DOTALL)
    return [re.sub(r"<[^>]+>", " ", one).strip() for one in found]


def test_every_change_that_operations_record_has_a_sentence() -> None:
    recorded = set()
    for file in Path(str(package.__path__[0])).glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("audit", "audit_each"):
                _, verb, noun, *_ = node.args
                if isinstance(verb, ast.Constant) and isinstance(noun, ast.Constant):
                    recorded.add((noun.value, verb.value))
    assert len(recorded) > 20
    assert recorded - set(SENTENCES) == set()


def test_a_change_is_told_with_who_what_and_from_where(visitor: Visitor, app: Flask, world: World) -> None:
    rollout_id = roll_out(world, "web-1")
    headers = world.bearer()
    answer = app.test_client().post(f"/api/v1/rollouts/{rollout_id}/cancel", headers=headers)
    assert answer.status_code == 202
    page = visitor.get("/audit").text
    sentences = told(page)
    assert sentences[0] == f"ann cancelled rollout #{rollout_id}; never started: 1"
    assert sentences[1] == "root started to upgrade orders from 1.1.0 to 1.2.0 on web-1"
    first = page.split("<tbody>")[1].split("</tr>")[0]
    assert "127.0.0.1" in first
    assert "token all #1" in first
    assert f'href="/rollouts/{rollout_id}"' in first


def test_the_sentences_are_in_the_readers_language(visitor: Visitor, app: Flask, world: World) -> None:
    chinese = visitor_of(app, "ann", accept_language="zh")
    assert not any(re.search(r"added the", one) for one in told(chinese.get("/audit").text))


@pytest.mark.parametrize(
    ("query", "number"),
    [
        ("noun=service", 2),
        ("noun=service&text=other", 1),
        ("verb=create&noun=user", 2),
        ("by=nobody", 0),
        ("refused=1", 0),
        ("first=2000-01-01", None),
        ("last=2000-01-01", 0),
        ("rollout_id=1", 0),
        ("text=%25", 0),
    ],
)
def test_changes_are_found_by_what_one_remembers(
    visitor: Visitor, world: World, query: str, number: int | None
) -> None:
    found = len(told(visitor.get(f"/audit?{query}").text))
    assert found == number if number is not None else found > 10


@pytest.mark.parametrize("query", ["refused=yes", "first=today", "service_id=x", "by=a&by=b"])
def test_a_strange_filter_is_refused(visitor: Visitor, world: World, query: str) -> None:
    assert visitor.get(f"/audit?{query}").status_code == 422
    assert visitor.get(f"/audit/export?format=csv&{query}").status_code == 422


def test_text_in_any_script_is_found(visitor: Visitor, world: World) -> None:
    with transaction():
        audit("root", "add", "service", 9, name="订单", recipe={})
    assert len(told(visitor.get("/audit", query_string={"text": "订单"}).text)) == 1


def test_what_is_refused_is_recorded_and_shown(visitor: Visitor, app: Flask, world: World) -> None:
    viewer = visitor_of(app, "vic")
    for _ in range(2):
        assert viewer.get(world.url()).status_code == 403
    sentences = told(visitor.get("/audit?refused=1").text)
    assert sentences == [f"Refused  vic was not allowed to roll out: GET {world.url()}"]


def test_everything_that_has_a_sentence_can_be_looked_for() -> None:
    assert {noun for noun, _ in SENTENCES} - set(NOUNS) == set()
    assert {verb for _, verb in SENTENCES} == set(VERBS)


def test_a_wrong_password_is_among_what_was_refused(visitor: Visitor, app: Flask, world: World) -> None:
    stranger = Visitor(app.test_client())
    assert stranger.sign_in("vic", "wrong").status_code == 422
    assert told(visitor.get("/audit?refused=1").text) == ["Refused  Somebody gave a wrong password for vic"]


def test_the_filter_speaks_the_readers_language(visitor: Visitor, app: Flask, world: World) -> None:
    def offered(page: str, name: str) -> list[str]:
        choices = page.partition(f'<select name="{name}">')[2].partition("</select>")[0]
        return re.findall(r"<option[^>]*>([^<]*)</option>", choices)

    page = visitor.get("/audit?verb=record_build").text
    assert "recorded a build, or tried to" in offered(page, "verb")
    assert '<option value="record_build" selected>' in page
    chinese = visitor_of(app, "ann", accept_language="zh").get("/audit").text
    for name in ("noun", "verb"):
        words = offered(page, name)
        assert len(words) > 10
        assert not any("_" in word for word in words), "no word of the wire"
        assert all(re.search(r"[\u4e00-\u9fff]", word) for word in offered(chinese, name))


def test_the_filter_offers_what_may_be_refused(visitor: Visitor, world: World) -> None:
    page = visitor.get("/audit").text
    assert {f'value="{verb}"' for verb in Verb if f'value="{verb}"' not in page} == set()


def test_who_looks_after_one_service_reads_of_that_alone(visitor: Visitor, app: Flask, world: World) -> None:
    vic = names.user_id("vic")
    keeper = visitor_of(app, "vic")
    assert keeper.get("/audit").status_code == 403
    roles.give_for_service(vic, world.other, Role.MAINTAINER, ADMIN)
    sentences = told(keeper.get("/audit").text)
    assert sentences
    assert all("other" in one for one in sentences)
    exported = keeper.get("/audit/export?format=jsonl").text.splitlines()
    assert {json.loads(line)["service_id"] for line in exported} == {world.other}
    assert told(keeper.get(f"/audit?service_id={world.service}").text) == []


def test_the_export_as_json_lines_has_everything_in_order(visitor: Visitor, world: World) -> None:
    answer = visitor.get("/audit/export?format=jsonl")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="audit.jsonl"'
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert [line["id"] for line in lines] == sorted(line["id"] for line in lines)
    assert (
        len(lines)
        == visitor.client.application.test_client().get("/api/v1/audit", headers=world.bearer()).json["count"]
    )


def test_no_cell_of_the_export_is_a_formula(visitor: Visitor, world: World) -> None:
    hostile = ["=HYPERLINK(1)", "+1", "-1", "@x", "\tx", "\rx", "＝1"]
    with transaction():
        for name in hostile:
            audit(name, "add", "service", 9, name=name)
    answer = visitor.get("/audit/export?format=csv&text=&noun=service")
    assert answer.mimetype == "text/csv"
    rows = list(csv.DictReader(io.StringIO(answer.get_data().decode(), newline="")))
    assert [row["actor"] for row in rows[-len(hostile) :]] == [f"'{name}" for name in hostile]
    assert all(not cell.startswith(tuple("=+-@\t\r＝")) for row in rows for cell in row.values())


def test_an_empty_export_has_its_header(visitor: Visitor, world: World) -> None:
    text = visitor.get("/audit/export?format=csv&by=nobody").text
    assert text.startswith("id,at,actor,verb,")


@pytest.mark.parametrize("query", ["", "format=xls", "format=csv&format=csv"])
def test_an_export_of_another_kind_is_refused(visitor: Visitor, world: World, query: str) -> None:
    assert visitor.get(f"/audit/export?{query}").status_code == 422


def test_an_export_holds_only_a_batch_at_a_time(visitor: Visitor, world: World) -> None:
    many = 3 * queries.BATCH + 1
    common = {"actor": "x", "verb": "add", "noun": "service", "facts": {}}
    db.session.execute(insert(AuditEntry), [common | {"noun_id": n} for n in range(many)])
    db.session.commit()
    lines = visitor.get("/audit/export?format=jsonl&by=x").iter_encoded()
    with statements() as seen:
        found = [json.loads(line)["noun_id"] for line in lines]
    assert found == list(range(many))
    assert len(seen) == 3, "all but the first, with which the answer began, are read while it is sent"


def test_the_api_lists_and_exports_the_same(app: Flask, world: World) -> None:
    client = app.test_client()
    found = client.get("/api/v1/audit?noun=user&limit=1&page=2", headers=world.bearer()).json
    assert (found["count"], found["data"][0]["facts"]["name"]) == (2, "ann")
    assert found["data"][0]["source"] == ""
    exported = client.get("/api/v1/audit/export?format=jsonl&noun=user", headers=world.bearer()).text
    assert len(exported.splitlines()) == 2
    assert client.get("/api/v1/audit?noum=user", headers=world.bearer()).status_code == 417
    builds = tokens.create_token("ann", "ci", Scope.BUILDS, "root")
    assert client.get("/api/v1/audit", headers=world.bearer(builds)).status_code == 403
    assert client.get("/api/v1/audit", headers=world.bearer(world.reader_token)).status_code == 200

"""The document of the API says what its calls do, and all of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import current_app
from flask.testing import FlaskClient
from openapi_spec_validator import validate

from deployer.domain.status import Action
from deployer.web.forms.base import StrictForm
from tests.test_docs import NAMES
from tests.world import World

ROOT = Path(__file__).parents[2]


@pytest.fixture
def document(reader: FlaskClient) -> dict[str, Any]:
    """As anybody gets it."""
    answer = reader.get("/api/openapi.json")
    assert answer.status_code == 200
    return answer.json  # type: ignore[no-any-return]


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Method, path and what is said of it."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def with_action(path: str) -> str:
    """A path with the direction as an argument, which has a path for each of its values."""
    return re.sub(rf"/(?:{'|'.join(Action)})(?=/|$)", "/{action}", path)


def lettered(path: str) -> str:
    """A path as the handbook writes it."""
    return re.sub(r"{(\w+)}", lambda found: NAMES[found[1]], path)


def test_the_document_is_valid(document: dict[str, Any]) -> None:
    validate(document)
    assert document["openapi"].startswith("3.1")


def test_it_has_every_call_and_no_other(document: dict[str, Any]) -> None:
    described = {(method, with_action(path)) for method, path, _ in operations(document)}
    calls = set()
    for rule in current_app.url_map.iter_rules():
        if rule.rule.startswith("/api/v1/"):
            path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule.removeprefix("/api/v1"))
            calls |= {(method, path) for method in rule.methods or set() if method not in ("HEAD", "OPTIONS")}
    assert described == calls


def test_it_has_both_directions_and_none_is_taken_for_a_build(document: dict[str, Any]) -> None:
    version = "/services/{service_id}/versions/{version_id}"
    below = {path.removeprefix(version) for path in document["paths"] if path.startswith(f"{version}/")}
    assert below == {"/build", "/mark", "/upgrade", "/upgrade/plan", "/revert", "/revert/plan"}


def test_it_names_the_same_calls_as_the_page_of_the_handbook(document: dict[str, Any]) -> None:
    text = (ROOT / "docs" / "api.md").read_text()
    listed = set(re.findall(r"^\| `((?:GET|POST) /\S+)` \|", text, re.MULTILINE))
    assert listed == {f"{method} {lettered(with_action(path))}" for method, path, _ in operations(document)}


def test_it_has_the_statuses_of_the_handbook(document: dict[str, Any]) -> None:
    text = (ROOT / "docs" / "api.md").read_text().partition("## Calls")[0]
    rows = re.findall(r"^\| ([0-9, ]+) \|", text, re.MULTILINE)
    listed = {status.strip() for row in rows for status in row.split(",")} - {"202"}
    assert set(document["components"]["responses"]) == listed


def shapes(form: type[StrictForm]) -> Iterator[type[StrictForm]]:
    for one in form.__subclasses__():
        yield one
        yield from shapes(one)


def test_every_field_of_a_form_is_there(document: dict[str, Any]) -> None:
    schemas, checked = document["components"]["schemas"], 0
    for form in shapes(StrictForm):
        for name in (form.__name__, f"{form.__name__}WithFile"):
            if name in schemas:
                assert set(form.field_names()) == set(schemas[name]["properties"]) - {"artifact"}, name
                checked += 1
    assert checked > 15


def called(document: dict[str, Any], world: World) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every call that is of something that is there."""
    there = {
        "service_id": world.service,
        "version_id": world.versions["1.1.0"],
        "host_id": world.hosts["web-1"],
        "user_id": 1,
        "token_id": 1,
    }
    for method, path, operation in operations(document):
        if set(re.findall(r"{(\w+)}", path)) <= set(there):
            yield method, f"/api/v1{path.format(**there)}", operation


def only(names: list[str]) -> str:
    """What is said when something else is sent."""
    return f"Send only these fields: {', '.join(names)}." if names else "Send none: this call takes no fields."


def test_each_call_names_the_parameters_that_the_document_has(
    reader: FlaskClient, shared_world: World, document: dict[str, Any]
) -> None:
    seen = 0
    for method, path, operation in called(document, shared_world):
        answer = reader.open(f"{path}?banana=1", method=method, headers=shared_world.bearer())
        names = sorted(one["name"] for one in operation["parameters"] if one["in"] == "query")
        assert (answer.status_code, answer.json["hint"]) == (417, only(names)), (method, path)
        seen += 1
    assert seen > 30


def test_each_call_names_the_fields_that_the_document_has(
    reader: FlaskClient, shared_world: World, document: dict[str, Any]
) -> None:
    seen = 0
    for method, path, operation in called(document, shared_world):
        if method != "POST":
            continue
        names: list[str] = []
        if "requestBody" in operation:
            reference = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]
            names = sorted(document["components"]["schemas"][reference.rpartition("/")[2]]["properties"])
        answer = reader.post(path, json={"banana": 1}, headers=shared_world.bearer())
        assert (answer.status_code, answer.json["hint"]) == (417, only(names)), path
        seen += 1
    assert seen > 15


def test_a_field_that_the_document_needs_is_missed_when_it_is_not_sent(
    reader: FlaskClient, shared_world: World, document: dict[str, Any]
) -> None:
    seen = 0
    for method, path, operation in called(document, shared_world):
        if method != "POST" or "requestBody" not in operation:
            continue
        reference = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]
        needed = document["components"]["schemas"][reference.rpartition("/")[2]]["required"]
        if needed:
            answer = reader.post(path, json={}, headers=shared_world.bearer())
            assert answer.status_code == 417, path
            assert set(needed) <= set(answer.json["errors"]), path
            seen += 1
    assert seen > 10


def test_methods_that_the_document_does_not_have_are_refused(
    reader: FlaskClient, shared_world: World, document: dict[str, Any]
) -> None:
    for path, methods in document["paths"].items():
        if path.endswith(("/build", "/mark")):
            continue  # to who gets them they are directions that there are not: 417
        address = f"/api/v1{re.sub(r'{[a-z_]+}', '1', path)}"
        for method in {"GET", "POST", "PUT", "PATCH", "DELETE"} - {one.upper() for one in methods}:
            answer = reader.open(address, method=method, headers=shared_world.bearer())
            assert (answer.status_code, answer.json["code"]) == (405, -1), (method, path)
            assert set(answer.allow) - {"HEAD", "OPTIONS"} == {one.upper() for one in methods}, path


def test_it_says_who_may(document: dict[str, Any]) -> None:
    start = document["paths"]["/services/{service_id}/versions/{version_id}/upgrade"]["post"]
    assert start["x-roles"] == ["deployer", "maintainer", "administrator"]
    assert start["x-scopes"] == ["deploy", "manage"]
    assert "for the service" in start["description"]
    assert "for everything" in document["paths"]["/hosts"]["post"]["description"]
    assert "for any service" in document["paths"]["/audit"]["get"]["description"]
    assert "x-roles" not in document["paths"]["/services"]["get"]


@pytest.mark.parametrize("query", ["?x=1"])
def test_the_document_takes_no_parameters(reader: FlaskClient, query: str) -> None:
    answer = reader.get(f"/api/openapi.json{query}")
    assert (answer.status_code, answer.json["code"]) == (417, -1)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_page_has_every_call_and_leads_to_every_thing(
    reader: FlaskClient, document: dict[str, Any], language: str
) -> None:
    page = reader.get("/api", headers={"Accept-Language": language}).text
    for _, path, operation in operations(document):
        assert f'<details id="call-{operation["operationId"]}">' in page
        assert path in page
    targets = set(re.findall(r'href="#([^"]+)"', page))
    assert targets - set(re.findall(r'id="([^"]+)"', page)) == set()
    assert ("The API" in page) == (language == "en")


def test_the_page_is_in_the_readers_language_and_the_document_is_the_same_for_all(reader: FlaskClient) -> None:
    in_chinese = {"Accept-Language": "zh"}
    page, before = reader.get("/api", headers=in_chinese).text, reader.get("/api/openapi.json").json
    for text in ("服务与版本", "一个服务，含其部署方式", "结束日期（UTC）。", "请求体过大。", "目标版本"):
        assert text in page, text
    assert not re.search(r"[A-Z][a-z]+ [a-z]+ [a-z]+ [a-z]+", re.sub(r"<[^>]*>", " ", page.partition("<main")[2]))
    assert "服务" not in reader.get("/api").text.partition("<main")[2].partition("</main>")[0]
    assert reader.get("/api/openapi.json", headers=in_chinese).json == before

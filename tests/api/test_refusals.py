"""SEED's hostile values over JSON and form: each is refused, says which field and what to do, and changes nothing."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest
from flask.testing import FlaskClient

from deployer.extensions import db
from deployer.models import Host
from tests.hostile import HOW, MALFORMED_HOSTS, MALFORMED_VERSIONS
from tests.world import World, snapshot

API = "/api/v1"


def refuse(client: FlaskClient, world: World, status: int, field: str | None, **request: Any) -> dict[str, Any]:
    """Send it and check everything that holds for every refusal."""
    before = snapshot()
    request.setdefault("path", API + world.url())
    request.setdefault("headers", world.bearer())
    answer = client.post(request.pop("path"), **request)
    assert answer.status_code == status, answer.get_data(as_text=True)
    assert answer.json["code"] == -1
    assert answer.json["msg"]
    if field is not None:
        assert list(answer.json["errors"]) == [field]
        assert len(answer.json["errors"][field][0]) > len(answer.json["msg"]), "no word on what to do"
    assert snapshot() == before
    return answer.json


@pytest.mark.parametrize("encoding", ["json", "data"])
@pytest.mark.parametrize("text", MALFORMED_HOSTS.values(), ids=MALFORMED_HOSTS.keys())
def test_a_malformed_host_list_is_refused(reader: FlaskClient, shared_world: World, text: str, encoding: str) -> None:
    if encoding == "data" and text == "\ud800":
        text = b"\xed\xa0\x80"  # type: ignore[assignment] # how a lone surrogate would have to travel in a form
    body = {"dest_version": str(shared_world.versions["1.2.0"]), "host": text}
    refuse(reader, shared_world, 417, "host", **{encoding: body})


@pytest.mark.parametrize("encoding", ["json", "data"])
@pytest.mark.parametrize("text", MALFORMED_VERSIONS.values(), ids=MALFORMED_VERSIONS.keys())
def test_a_malformed_target_version_is_refused(
    reader: FlaskClient, shared_world: World, text: str, encoding: str
) -> None:
    if encoding == "data" and text == "\ud800":
        text = b"\xed\xa0\x80"  # type: ignore[assignment]
    refuse(reader, shared_world, 417, "dest_version", **{encoding: {"dest_version": text, "host": "all"}})


@pytest.mark.parametrize("encoding", ["json", "data"])
@pytest.mark.parametrize(
    ("field", "text"), [(field, text) for field, _, text in HOW], ids=[f"{f}-{w}" for f, w, _ in HOW]
)
def test_a_malformed_word_on_how_it_goes_is_refused(
    reader: FlaskClient, shared_world: World, field: str, text: str, encoding: str
) -> None:
    if encoding == "data" and text == "\ud800":
        text = b"\xed\xa0\x80"  # type: ignore[assignment]
    body = {"dest_version": str(shared_world.versions["1.2.0"]), "host": "all", field: text}
    refuse(reader, shared_world, 417, field, **{encoding: body})
    refuse(reader, shared_world, 417, field, **{encoding: body}, path=f"{API}{shared_world.url()}/plan")


@pytest.mark.parametrize(
    ("target", "status"),
    [
        pytest.param("1.1.0", 409, id="the same version"),
        pytest.param("1.0.0", 409, id="lower on upgrade"),
        pytest.param("1.3.0", 409, id="failed build"),
        pytest.param("1.4.0", 409, id="pending build"),
        pytest.param("1.5.0", 409, id="building build"),
        pytest.param("1.6.0", 409, id="timed-out build"),
        pytest.param("1.7.0", 409, id="duplicate build"),
    ],
)
def test_a_version_that_is_no_target_is_a_conflict(
    reader: FlaskClient, shared_world: World, target: str, status: int
) -> None:
    refuse(
        reader,
        shared_world,
        status,
        "dest_version",
        json={"dest_version": shared_world.versions[target], "host": "all"},
    )


def test_a_higher_version_on_revert_is_a_conflict(reader: FlaskClient, shared_world: World) -> None:
    refuse(
        reader,
        shared_world,
        409,
        "dest_version",
        path=API + shared_world.url(action="revert"),
        json={"dest_version": shared_world.versions["1.2.0"], "host": "all"},
    )


def test_an_unknown_target_version_does_not_exist(reader: FlaskClient, shared_world: World) -> None:
    refuse(reader, shared_world, 404, "dest_version", json={"dest_version": 99_999, "host": "all"})


def test_another_services_version_is_no_target(reader: FlaskClient, shared_world: World) -> None:
    refuse(reader, shared_world, 404, "dest_version", json={"dest_version": shared_world.other_version, "host": "all"})


@pytest.mark.parametrize("host", ["web-5", "web-4"], ids=["another service's", "on another version"])
def test_a_host_that_does_not_run_the_current_version_refuses_the_whole_request(
    reader: FlaskClient, shared_world: World, host: str
) -> None:
    both = f"{shared_world.hosts['web-1']},{shared_world.hosts[host]}"
    refuse(reader, shared_world, 417, "host", json={"dest_version": shared_world.versions["1.2.0"], "host": both})


def test_a_deleted_host_refuses_the_whole_request(reader: FlaskClient, shared_world: World) -> None:
    host = Host(hostname="gone", address="127.0.0.9", directory="/srv/gone")
    db.session.add(host)
    db.session.commit()
    gone = host.id
    db.session.delete(host)
    db.session.commit()
    both = f"{shared_world.hosts['web-1']},{gone}"
    refuse(reader, shared_world, 417, "host", json={"dest_version": shared_world.versions["1.2.0"], "host": both})


def test_a_locked_host_refuses_the_whole_request(client: FlaskClient, world: World) -> None:
    body = {"dest_version": world.versions["1.2.0"], "host": str(world.hosts["web-1"])}
    assert client.post(API + world.url(), json=body, headers=world.bearer()).status_code == 202
    refuse(client, world, 409, "host", json=body | {"host": f"{world.hosts['web-2']},{world.hosts['web-1']}"})


def test_a_double_submit_is_a_conflict(client: FlaskClient, world: World) -> None:
    body = {"dest_version": world.versions["1.2.0"], "host": "all"}
    assert client.post(API + world.url(), json=body, headers=world.bearer()).status_code == 202
    refuse(client, world, 409, "host", json=body)


@pytest.mark.parametrize(
    "action", ["UPGRADE", "Revert", "delete", "explode", "upgrade%20", "upgrade%00", "%F0%9F%92%A3"]
)
def test_an_unknown_action_is_refused(reader: FlaskClient, shared_world: World, action: str) -> None:
    refuse(
        reader,
        shared_world,
        417,
        "action",
        path=API + shared_world.url(action=action),
        json={"dest_version": shared_world.versions["1.2.0"], "host": "all"},
    )
    assert reader.get(API + shared_world.url(action=action), headers=shared_world.bearer()).status_code == 417


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("part", ["service", "version"])
@pytest.mark.parametrize("value", ["0", "01", "99999", str(2**31), str(2**63), "9" * 5000, "-1", "１", "abc", "1.0"])
def test_a_service_or_current_version_that_is_not_there_does_not_exist(
    reader: FlaskClient, shared_world: World, part: str, value: str, method: str
) -> None:
    ids = {"service": str(shared_world.service), "version": str(shared_world.versions["1.1.0"]), part: value}
    path = f"{API}/services/{ids['service']}/versions/{ids['version']}/upgrade"
    if method == "get":
        assert reader.get(path, headers=shared_world.bearer()).status_code == 404
    else:
        refuse(
            reader,
            shared_world,
            404,
            None,
            path=path,
            json={"dest_version": shared_world.versions["1.2.0"], "host": "all"},
        )


def test_a_current_version_of_another_service_does_not_exist(reader: FlaskClient, shared_world: World) -> None:
    path = f"{API}/services/{shared_world.service}/versions/{shared_world.other_version}/upgrade"
    refuse(
        reader, shared_world, 404, None, path=path, json={"dest_version": shared_world.versions["1.2.0"], "host": "all"}
    )


@pytest.mark.parametrize(
    ("body", "field"),
    [
        pytest.param('{"dest_version": 3, "dest_version": 2, "host": "all"}', "dest_version", id="repeated key"),
        pytest.param('{"dest_version": true, "host": "all"}', "dest_version", id="boolean"),
        pytest.param('{"dest_version": 3.0, "host": "all"}', "dest_version", id="float"),
        pytest.param('{"dest_version": null, "host": "all"}', "dest_version", id="null"),
        pytest.param('{"dest_version": "3", "host": [1, 2]}', "host", id="list"),
        pytest.param('{"dest_version": "3", "host": {"id": 1}}', "host", id="object"),
        pytest.param('{"dest_version": NaN, "host": "all"}', "dest_version", id="NaN"),
        pytest.param('{"dest_version": "3", "hosts": "all"}', None, id="unknown field"),
        pytest.param('{"dest_version": 3', None, id="cut off"),
        pytest.param("[1, 2]", None, id="a list"),
        pytest.param('"all"', None, id="a text"),
        pytest.param("[" * 100_000, None, id="very deep"),
        pytest.param('{"dest_version": ' + "9" * 5000 + ', "host": "all"}', None, id="5,000-digit number"),
        pytest.param(b"\xff\xfe{}", None, id="not UTF-8"),
        pytest.param("", None, id="empty"),
    ],
)
def test_a_json_body_that_can_be_misread_is_refused(
    reader: FlaskClient, shared_world: World, body: str | bytes, field: str | None
) -> None:
    refuse(reader, shared_world, 417, field, data=body, content_type="application/json")


@pytest.mark.parametrize("field", ["dest_version", "host", "wave_size", "stop_after", "on_failure", "plan"])
def test_a_repeated_form_key_is_refused(reader: FlaskClient, shared_world: World, field: str) -> None:
    pairs = [("dest_version", shared_world.versions["1.2.0"]), ("host", shared_world.hosts["web-1"])]
    fields = urlencode([*pairs, (field, 2), (field, 2)])
    refuse(reader, shared_world, 417, field, data=fields, content_type="application/x-www-form-urlencoded")


@pytest.mark.parametrize("content_type", ["text/plain", "text/xml", "application/octet-stream", "application/jsonp"])
def test_another_content_type_is_refused(reader: FlaskClient, shared_world: World, content_type: str) -> None:
    body = json.dumps({"dest_version": shared_world.versions["1.2.0"], "host": "all"})
    refuse(reader, shared_world, 415, None, data=body, content_type=content_type)


@pytest.mark.parametrize("encoding", ["json", "data"])
def test_a_million_ids_are_too_large_a_body(reader: FlaskClient, shared_world: World, encoding: str) -> None:
    body = {"dest_version": "3", "host": ",".join(str(n) for n in range(1, 1_000_001))}
    refuse(reader, shared_world, 413, None, **{encoding: body})


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer "},
        {"Authorization": "Bearer nonsense"},
        {"Authorization": "Bearer " + "x" * 5000},
        {"Authorization": "Basic YW5uOmFubg=="},
    ],
    ids=["none", "empty", "no token", "blank token", "unknown token", "long token", "basic"],
)
def test_nobody_gets_in_without_a_token(reader: FlaskClient, shared_world: World, headers: dict[str, str]) -> None:
    refuse(
        reader,
        shared_world,
        401,
        None,
        json={"dest_version": shared_world.versions["1.2.0"], "host": "all"},
        headers=headers,
    )


def test_a_read_only_token_may_look_and_not_touch(reader: FlaskClient, shared_world: World) -> None:
    headers = shared_world.bearer(shared_world.reader_token)
    assert reader.get(f"{API}/services", headers=headers).status_code == 200
    refuse(
        reader,
        shared_world,
        403,
        None,
        json={"dest_version": shared_world.versions["1.2.0"], "host": "all"},
        headers=headers,
    )


@pytest.mark.parametrize(
    ("body", "path", "message"),
    [
        ({"dest_version": "", "host": "all"}, None, "版本号不能为空"),
        ({"dest_version": "3", "host": ""}, None, "主机不能为空"),
        ({"dest_version": "3", "host": "1,,2"}, None, "主机参数错误，请传入 all 或以逗号分隔的id值"),
        ({"dest_version": "99999", "host": "all"}, None, "资源不存在"),
        ({"dest_version": "3", "host": "99999"}, None, "请发送正确的主机id"),
        ({"dest_version": "3", "host": "all"}, "explode", "仅支持 upgrade/revert"),
    ],
)
def test_the_messages_are_the_originals_when_chinese_is_asked_for(
    reader: FlaskClient, shared_world: World, body: dict[str, str], path: str | None, message: str
) -> None:
    status = 404 if message == "资源不存在" else 417
    headers = shared_world.bearer() | {"Accept-Language": "zh-CN,zh;q=0.9,en;q=0.5"}
    answer = refuse(
        reader,
        shared_world,
        status,
        None,
        json=body,
        headers=headers,
        path=API + shared_world.url(action=path or "upgrade"),
    )
    assert answer["msg"] == message

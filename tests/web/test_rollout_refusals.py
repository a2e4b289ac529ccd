"""SEED's hostile values through the page's form: refused, shown at the field with what to do, nothing changed."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest
from flask import current_app

from tests.hostile import HOW, MALFORMED_HOSTS, MALFORMED_VERSIONS
from tests.web.conftest import Visitor
from tests.world import World, snapshot


def refuse(visitor: Visitor, world: World, statuses: set[int], data: Any, path: str | None = None) -> str:
    before = snapshot()
    answer = visitor.post(path or world.url(), data)
    text = answer.get_data(as_text=True)
    assert answer.status_code in statuses, text
    assert 'role="alert"' in text
    assert snapshot() == before
    return text


@pytest.mark.parametrize("text", MALFORMED_HOSTS.values(), ids=MALFORMED_HOSTS.keys())
def test_a_malformed_host_list_is_refused_at_its_field(shared_visitor: Visitor, shared_world: World, text: str) -> None:
    sent: str | bytes = b"\xed\xa0\x80" if text == "\ud800" else text
    data = {"dest_version": str(shared_world.versions["1.2.0"]), "host": sent}
    assert 'id="host-error"' in refuse(shared_visitor, shared_world, {422}, data)


@pytest.mark.parametrize("text", MALFORMED_HOSTS.values(), ids=MALFORMED_HOSTS.keys())
def test_a_malformed_tick_is_refused_at_its_field(shared_visitor: Visitor, shared_world: World, text: str) -> None:
    if text == "1,1,1":
        text = "1"  # the commas would join the ticks; the same host twice is what this value is about
    sent: str | bytes = b"\xed\xa0\x80" if text == "\ud800" else text
    pairs = [("dest_version", str(shared_world.versions["1.2.0"])), ("host_id", "1"), ("host_id", sent)]
    assert 'id="host-error"' in refuse(shared_visitor, shared_world, {422}, pairs)


@pytest.mark.parametrize("text", MALFORMED_VERSIONS.values(), ids=MALFORMED_VERSIONS.keys())
def test_a_malformed_target_version_is_refused_at_its_field(
    shared_visitor: Visitor, shared_world: World, text: str
) -> None:
    sent: str | bytes = b"\xed\xa0\x80" if text == "\ud800" else text
    page = refuse(shared_visitor, shared_world, {422}, {"dest_version": sent, "host": "all"})
    assert 'id="dest_version-error"' in page


@pytest.mark.parametrize(
    ("field", "text"), [(field, text) for field, _, text in HOW], ids=[f"{f}-{w}" for f, w, _ in HOW]
)
def test_a_malformed_word_on_how_it_goes_is_refused(
    shared_visitor: Visitor, shared_world: World, field: str, text: str
) -> None:
    sent: str | bytes = b"\xed\xa0\x80" if text == "\ud800" else text
    data = {"dest_version": str(shared_world.versions["1.2.0"]), "host": "all", field: sent}
    page = refuse(shared_visitor, shared_world, {422}, data)
    # The token is nothing that a person could mend: the page brings another one.
    assert ('name="plan"' in page) if field == "plan" else (f'id="{field}-error"' in page)


@pytest.mark.parametrize("target", ["1.1.0", "1.0.0", "1.3.0", "1.4.0", "1.5.0", "1.6.0", "1.7.0"])
def test_a_version_that_is_no_target_is_a_conflict_at_its_field(
    shared_visitor: Visitor, shared_world: World, target: str
) -> None:
    data = {"dest_version": shared_world.versions[target], "host": "all"}
    assert 'id="dest_version-error"' in refuse(shared_visitor, shared_world, {409}, data)


def test_a_higher_version_on_revert_is_a_conflict(shared_visitor: Visitor, shared_world: World) -> None:
    data = {"dest_version": shared_world.versions["1.2.0"], "host": "all"}
    refuse(shared_visitor, shared_world, {409}, data, shared_world.url(action="revert"))


def test_a_target_that_is_not_the_services_is_refused(shared_visitor: Visitor, shared_world: World) -> None:
    for version in (99_999, shared_world.other_version):
        refuse(shared_visitor, shared_world, {404, 422}, {"dest_version": version, "host": "all"})


@pytest.mark.parametrize("host", ["web-4", "web-5"])
def test_a_host_that_does_not_run_the_current_version_refuses_the_whole_request(
    shared_visitor: Visitor, shared_world: World, host: str
) -> None:
    ticks = [("host_id", shared_world.hosts["web-1"]), ("host_id", shared_world.hosts[host])]
    pairs = [("dest_version", shared_world.versions["1.2.0"]), *ticks]
    assert 'id="host-error"' in refuse(shared_visitor, shared_world, {422}, pairs)


def test_a_locked_host_refuses_the_whole_request_and_says_who_holds_it(visitor: Visitor, world: World) -> None:
    target = ("dest_version", world.versions["1.2.0"])
    assert visitor.start(world.url(), [target, ("host_id", world.hosts["web-1"])]).status_code == 303
    both = [target, ("host_id", world.hosts["web-1"]), ("host_id", world.hosts["web-2"])]
    page = refuse(visitor, world, {409}, both)
    assert "web-1 (#1 ann: upgrade → 1.2.0" in page


@pytest.mark.parametrize("action", ["UPGRADE", "delete", "explode", "upgrade%00"])
def test_an_unknown_action_is_refused(shared_visitor: Visitor, shared_world: World, action: str) -> None:
    data = {"dest_version": shared_world.versions["1.2.0"], "host": "all"}
    refuse(shared_visitor, shared_world, {404, 422}, data, shared_world.url(action=action))


@pytest.mark.parametrize("value", ["0", "01", "99999", str(2**31), str(2**63), "9" * 5000, "１", "abc"])
def test_a_service_or_current_version_that_is_not_there_does_not_exist(
    shared_visitor: Visitor, shared_world: World, value: str
) -> None:
    data = {"dest_version": shared_world.versions["1.2.0"], "host": "all"}
    for path in (
        f"/services/{value}/versions/{shared_world.versions['1.1.0']}/upgrade",
        f"/services/{shared_world.service}/versions/{value}/upgrade",
        f"/services/{shared_world.other}/versions/{shared_world.versions['1.1.0']}/upgrade",
    ):
        refuse(shared_visitor, shared_world, {404}, data, path)


@pytest.mark.parametrize("field", ["dest_version", "host", "reason", "wave_size", "on_failure", "plan"])
def test_a_field_that_comes_twice_is_refused(shared_visitor: Visitor, shared_world: World, field: str) -> None:
    pairs = [
        ("dest_version", shared_world.versions["1.2.0"]),
        ("host", "all"),
        ("reason", "x"),
        (field, "2"),
        (field, "2"),
    ]
    refuse(shared_visitor, shared_world, {422}, pairs)


def test_all_and_a_tick_together_are_refused(shared_visitor: Visitor, shared_world: World) -> None:
    pairs = [("dest_version", shared_world.versions["1.2.0"]), ("host", "all"), ("host_id", "1")]
    refuse(shared_visitor, shared_world, {422}, pairs)


@pytest.mark.parametrize("reason", ["x" * 201, "a\x00b", "bell\x07"])
def test_a_reason_that_cannot_be_kept_is_refused(shared_visitor: Visitor, shared_world: World, reason: str) -> None:
    data = {"dest_version": shared_world.versions["1.2.0"], "host": "all", "reason": reason}
    refuse(shared_visitor, shared_world, {422}, data)


@pytest.mark.parametrize("token", ["", "nonsense", "é"])
def test_a_missing_or_stale_csrf_token_is_refused_with_a_message_that_helps(
    shared_visitor: Visitor, shared_world: World, token: str
) -> None:
    before = snapshot()
    fields = {"dest_version": shared_world.versions["1.2.0"], "host": "all", "csrf_token": token}
    answer = shared_visitor.client.post(shared_world.url(), data=fields)
    assert answer.status_code == 400
    assert "nothing was done" in answer.get_data(as_text=True)
    assert snapshot() == before


def test_a_json_body_does_not_get_past_the_csrf_token(shared_visitor: Visitor, shared_world: World) -> None:
    before = snapshot()
    answer = shared_visitor.client.post(shared_world.url(), json={"dest_version": "3", "host": "all"})
    assert answer.status_code == 400
    assert snapshot() == before


def test_a_session_cookie_is_no_identity_in_the_api(shared_visitor: Visitor, shared_world: World) -> None:
    before = snapshot()
    body = {"dest_version": shared_world.versions["1.2.0"], "host": "all"}
    assert shared_visitor.client.post("/api/v1" + shared_world.url(), json=body).status_code == 401
    assert snapshot() == before


def test_nobody_starts_a_rollout_without_signing_in(shared_world: World) -> None:
    stranger = Visitor(current_app.test_client())
    stranger.read_token("/sign-in")
    before = snapshot()
    answer = stranger.post(shared_world.url(), {"dest_version": shared_world.versions["1.2.0"], "host": "all"})
    assert answer.status_code == 401
    assert snapshot() == before


def test_a_viewer_may_look_and_not_touch(shared_world: World) -> None:
    viewer = Visitor(current_app.test_client())
    assert viewer.sign_in("vic").status_code == 303
    assert viewer.get(f"/services/{shared_world.service}").status_code == 200
    assert viewer.get(shared_world.url()).status_code == 403
    assert viewer.post(shared_world.url() + "/plan", {"host": "all"}).status_code == 403
    before = snapshot()
    answer = viewer.post(shared_world.url(), {"dest_version": shared_world.versions["1.2.0"], "host": "all"})
    assert answer.status_code == 403
    assert snapshot() == before


def test_a_million_ticks_are_too_large_a_body(shared_visitor: Visitor, shared_world: World) -> None:
    before = snapshot()
    body = urlencode([("host_id", str(n)) for n in range(1, 100_000)])
    answer = shared_visitor.client.post(shared_world.url(), data=body, content_type="application/x-www-form-urlencoded")
    assert answer.status_code == 413
    assert snapshot() == before

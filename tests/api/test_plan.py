"""What would happen, asked over JSON, and a rollout that holds to what was answered."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select

from deployer.domain.recipe import ReleaseRecipe
from deployer.domain.status import BuildStatus
from deployer.extensions import db
from deployer.models import Rollout
from deployer.operations.catalog import Build, NewService, change_service, record_build
from tests.world import ADMIN, World, snapshot

API = "/api/v1"


def send(client: FlaskClient, world: World, body: dict[str, Any], part: str = "") -> Any:
    return client.post(API + world.url() + part, json=body, headers=world.bearer())


def everyone(world: World, **more: Any) -> dict[str, Any]:
    return {"dest_version": world.versions["1.2.0"], "host": "all"} | more


def token_of(client: FlaskClient, world: World, body: dict[str, Any]) -> str:
    return str(send(client, world, body, "/plan").json["data"]["plan"])


def started() -> int:
    db.session.rollback()
    return db.session.execute(select(func.count()).select_from(Rollout)).scalar_one()


def test_a_plan_names_each_host_in_its_wave_and_changes_nothing(client: FlaskClient, world: World) -> None:
    before = snapshot()
    how = {"wave_size": "50%", "stop_after": 2, "pause_after_first": True, "on_failure": "undo"}
    answer = send(client, world, everyone(world, **how), "/plan")
    assert (answer.status_code, answer.json["code"]) == (200, 0)
    data = answer.json["data"]
    token = data.pop("plan")
    assert token.partition("-")[0].isdigit()
    line = {"from_version": "1.1.0", "to_version": "1.2.0"}
    assert data == {
        "action": "upgrade",
        **line,
        **how,
        "hosts": 3,
        "crosses": [],
        "waves": [
            [{"host_id": world.hosts[name], "host": name, **line} for name in ("web-1", "web-2")],
            [{"host_id": world.hosts["web-3"], "host": "web-3", **line}],
        ],
    }
    assert snapshot() == before


def test_a_rollout_goes_as_it_was_asked_to(client: FlaskClient, world: World) -> None:
    how = {"wave_size": "1", "stop_after": 3, "pause_after_first": True, "on_failure": "undo"}
    accepted = send(client, world, everyone(world, **how))
    assert accepted.status_code == 202
    rollout = client.get(f"{API}/rollouts/{accepted.json['data']['rollout_id']}", headers=world.bearer()).json["data"]
    assert {name: rollout[name] for name in how} == how
    assert (rollout["wave"], rollout["waves"], rollout["hosts"], rollout["queued"], rollout["skipped"]) == (
        1,
        3,
        3,
        3,
        0,
    )
    assert (rollout["paused_by"], rollout["origin"], rollout["origin_id"]) == ("", None, None)
    assert [step["wave"] for step in rollout["steps"]] == [1, 2, 3]


def test_a_request_of_the_old_kind_goes_all_at_once(client: FlaskClient, world: World) -> None:
    accepted = send(client, world, everyone(world))
    rollout = client.get(f"{API}/rollouts/{accepted.json['data']['rollout_id']}", headers=world.bearer()).json["data"]
    found = [rollout[name] for name in ("wave_size", "stop_after", "pause_after_first", "on_failure", "waves")]
    assert found == ["", 1, False, "stop", 1]


def test_a_plan_that_still_holds_is_started(client: FlaskClient, world: World) -> None:
    body = everyone(world, wave_size="1")
    assert send(client, world, body | {"plan": token_of(client, world, body)}).status_code == 202


def test_the_same_plan_sent_twice_is_one_rollout_and_one_answer(client: FlaskClient, world: World) -> None:
    body = everyone(world)
    body["plan"] = token_of(client, world, body)
    first, second = send(client, world, body), send(client, world, body)
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json == second.json
    assert started() == 1


def test_a_plan_that_a_locked_host_spoils_names_the_host_and_its_holder(client: FlaskClient, world: World) -> None:
    body = everyone(world)
    body["plan"] = token_of(client, world, body)
    send(client, world, everyone(world, host=str(world.hosts["web-2"])))
    before = snapshot()
    answer = send(client, world, body)
    assert answer.status_code == 409
    assert "web-2 (#1 ann: upgrade" in answer.json["errors"]["host"][0]
    assert snapshot() == before


def test_a_changed_recipe_spoils_a_plan_and_the_new_one_comes_along(client: FlaskClient, world: World) -> None:
    body = everyone(world, wave_size="1")
    body["plan"] = token_of(client, world, body)
    change_service(world.service, NewService("orders", ReleaseRecipe(restart=("false",))), ADMIN)
    before = snapshot()
    answer = send(client, world, body)
    assert (answer.status_code, answer.json["code"]) == (409, -1)
    assert "orders: The service or its recipe was changed." in answer.json["errors"]["plan"][0]
    assert snapshot() == before
    fresh = answer.json["data"]
    assert len(fresh["waves"]) == 3
    assert send(client, world, body | {"plan": fresh["plan"]}).status_code == 202


def test_a_plan_for_another_choice_is_not_started(client: FlaskClient, world: World) -> None:
    token = token_of(client, world, everyone(world))
    before = snapshot()
    for other in (
        everyone(world, dest_version=world.versions["1.8.0"]),
        everyone(world, host=str(world.hosts["web-1"])),
        everyone(world, wave_size="1"),
        everyone(world, stop_after="2"),
        everyone(world, pause_after_first="true"),
        everyone(world, on_failure="undo"),
    ):
        answer = send(client, world, other | {"plan": token})
        assert answer.status_code == 409
        assert "was for another choice" in answer.json["errors"]["plan"][0]
        assert answer.json["data"]["plan"] != token
    assert snapshot() == before


def test_where_no_plan_is_left_the_refusal_says_why(client: FlaskClient, world: World) -> None:
    body = everyone(world)
    body["plan"] = token_of(client, world, body)
    record_build(world.service, world.versions["1.2.0"], Build(BuildStatus.FAILED), ADMIN)
    answer = send(client, world, body)
    assert answer.status_code == 409
    assert "data" not in answer.json
    assert list(answer.json["errors"]) == ["dest_version"]


def test_a_token_may_not_look_at_plans_that_it_may_not_start(reader: FlaskClient, shared_world: World) -> None:
    headers = shared_world.bearer(shared_world.reader_token)
    answer = reader.post(f"{API}{shared_world.url()}/plan", json=everyone(shared_world), headers=headers)
    assert answer.status_code == 403


@pytest.mark.parametrize("field", ["banana", "host_id", "q"])
def test_a_field_that_a_plan_does_not_know_is_refused(reader: FlaskClient, shared_world: World, field: str) -> None:
    body = everyone(shared_world) | {field: "1"}
    assert send(reader, shared_world, body, "/plan").status_code == 417

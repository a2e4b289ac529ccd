"""S2, S3, S11, S12, S13 over JSON: what an accepted upgrade or revert changes, and what it answers."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from deployer.domain.status import InstanceStatus, RolloutState, StepState
from deployer.extensions import db
from deployer.models import AuditEntry, Instance, Rollout, Step
from tests.world import World

API = "/api/v1"


def held(world: World) -> dict[int, Instance]:
    db.session.rollback()
    return {
        one.host_id: one
        for one in db.session.execute(select(Instance).where(Instance.service_id == world.service)).scalars()
    }


@pytest.mark.parametrize("encoding", ["json", "data"])
def test_an_upgrade_marks_the_chosen_instances_upgrading_and_locked_with_who_and_when(
    client: FlaskClient, world: World, encoding: str
) -> None:
    hosts = [world.hosts["web-1"], world.hosts["web-3"]]
    body = {"dest_version": str(world.versions["1.8.0"]), "host": ",".join(map(str, hosts))}
    answer = client.post(API + world.url(), headers=world.bearer(), **{encoding: body})
    assert answer.status_code == 202
    data = answer.json["data"]
    assert answer.json["code"] == 0
    assert data["accepted"] == hosts
    instances = held(world)
    for host_id in hosts:
        one = instances[host_id]
        assert (one.rollout_id, one.status, one.updated_by) == (data["rollout_id"], InstanceStatus.UPGRADING, "ann")
    free = instances[world.hosts["web-2"]]
    assert (free.rollout_id, free.status) == (None, InstanceStatus.RUNNING)
    # The version is only ever what was probed: accepting changes nothing about it.
    assert {one.version_id for one in instances.values()} == {world.versions["1.1.0"], world.versions["1.0.0"]}
    steps = db.session.execute(select(Step).where(Step.rollout_id == data["rollout_id"])).scalars().all()
    assert {(step.state, step.attempt, step.from_version_id, step.to_version_id) for step in steps} == {
        (StepState.QUEUED, 0, world.versions["1.1.0"], world.versions["1.8.0"])
    }
    assert len(steps) == 2
    assert db.session.get_one(Rollout, data["rollout_id"]).state is RolloutState.QUEUED


def test_a_revert_is_the_same_operation_in_the_other_direction(client: FlaskClient, world: World) -> None:
    answer = client.post(
        API + world.url(action="revert"),
        json={"dest_version": world.versions["1.0.0"], "host": "all"},
        headers=world.bearer(),
    )
    assert answer.status_code == 202
    assert answer.json["data"]["accepted"] == [world.hosts[name] for name in ("web-1", "web-2", "web-3")]
    assert held(world)[world.hosts["web-1"]].status is InstanceStatus.REVERTING
    # web-4 runs another version than the current one: "all" never reaches it.
    assert held(world)[world.hosts["web-4"]].rollout_id is None


def test_a_second_request_for_a_held_host_is_a_conflict_that_names_host_and_holder(
    client: FlaskClient, world: World
) -> None:
    body = {"dest_version": world.versions["1.2.0"], "host": str(world.hosts["web-2"])}
    first = client.post(API + world.url(), json=body, headers=world.bearer())
    again = client.post(API + world.url(), json=body | {"host": "all"}, headers=world.bearer())
    assert (first.status_code, again.status_code) == (202, 409)
    assert again.json["code"] == -1
    problem = again.json["errors"]["host"][0]
    assert all(word in problem for word in ("web-2", "ann", f"#{first.json['data']['rollout_id']}", "upgrade"))
    assert held(world)[world.hosts["web-1"]].rollout_id is None


def test_an_accepted_rollout_leaves_one_audit_row_in_its_transaction(client: FlaskClient, world: World) -> None:
    answer = client.post(
        API + world.url(), json={"dest_version": world.versions["1.2.0"], "host": "all"}, headers=world.bearer()
    )
    entry = db.session.execute(select(AuditEntry).where(AuditEntry.noun == "rollout")).scalar_one()
    assert (entry.actor, entry.verb, entry.noun_id) == ("ann", "upgrade", answer.json["data"]["rollout_id"])
    assert entry.facts["hosts"] == ["web-1", "web-2", "web-3"]


def test_a_rollout_that_no_worker_has_taken_can_be_cancelled_and_gives_every_host_back(
    client: FlaskClient, world: World
) -> None:
    before = {host: (one.status, one.version_id) for host, one in held(world).items()}
    accepted = client.post(
        API + world.url(), json={"dest_version": world.versions["1.2.0"], "host": "all"}, headers=world.bearer()
    )
    url = f"{API}/rollouts/{accepted.json['data']['rollout_id']}"
    answer = client.post(url + "/cancel", headers=world.bearer())
    assert answer.status_code == 202
    assert (answer.json["data"]["state"], answer.json["data"]["cancelled"]) == ("cancelled", 3)
    after = held(world)
    assert {host: (one.status, one.version_id) for host, one in after.items()} == before
    assert {one.rollout_id for one in after.values()} == {None}
    again = client.post(url + "/cancel", headers=world.bearer())
    assert again.status_code == 409
    assert "cancelled" in again.json["hint"]


def test_the_rollout_and_its_steps_can_be_read_back(client: FlaskClient, world: World) -> None:
    accepted = client.post(
        API + world.url(),
        json={"dest_version": world.versions["1.2.0"], "host": "all", "reason": "CHG-1"},
        headers=world.bearer(),
    )
    answer = client.get(f"{API}/rollouts/{accepted.json['data']['rollout_id']}", headers=world.bearer())
    data = answer.json["data"]
    assert (data["from_version"], data["to_version"], data["reason"]) == ("1.1.0", "1.2.0", "CHG-1")
    assert [step["host"] for step in data["steps"]] == ["web-1", "web-2", "web-3"]
    listing = client.get(f"{API}/rollouts", headers=world.bearer()).json
    assert (listing["count"], listing["data"][0]["id"]) == (1, data["id"])

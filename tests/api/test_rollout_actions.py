"""What can be done with a rollout over JSON, in every state there is: it is done, or refused and nothing changes."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from deployer.extensions import db
from deployer.queries import rollouts
from deployer.queries import steps as step_queries
from tests.api.test_refusals import refuse
from tests.hostile import MALFORMED_HOSTS
from tests.standings import ALLOWED, MAKERS, work
from tests.world import World, snapshot

API = "/api/v1/rollouts"
REFUSED = [(action, state) for action, allowed in ALLOWED.items() for state in MAKERS if state not in allowed]
ACCEPTED = [(action, state) for action, allowed in ALLOWED.items() for state in MAKERS if state in allowed]
MALFORMED_PLANS = {
    "a word": "newest",
    "no digest": "12-",
    "no revision": "-" + "a" * 64,
    "upper case": "1-" + "A" * 64,
    "leading zero": "01-" + "a" * 64,
    "full-width revision": "１-" + "a" * 64,
    "short digest": "1-" + "a" * 63,
    "huge revision": "9" * 5000 + "-" + "a" * 64,
    "trailing newline": "1-" + "a" * 64 + "\n",
    "NUL": "1-" + "a" * 63 + "\x00",
    "markup": "<script>",
}


@pytest.fixture(scope="module")
def standings(shared_world: World) -> dict[str, int]:
    """A rollout in each state, which no test of this module changes."""
    return {state: make(shared_world) for state, make in MAKERS.items()}


@pytest.mark.parametrize(("action", "state"), REFUSED, ids=[f"{action} {state}" for action, state in REFUSED])
def test_an_action_that_the_state_does_not_allow_is_a_conflict_and_changes_nothing(
    reader: FlaskClient, shared_world: World, standings: dict[str, int], action: str, state: str
) -> None:
    answer = refuse(reader, shared_world, 409, None, path=f"{API}/{standings[state]}/{action}")
    told = answer.get("hint") or next(iter(answer["errors"].values()))[0].removeprefix(answer["msg"]).strip()
    assert told.endswith("."), "no sentence on what to do"


@pytest.mark.parametrize(("action", "state"), REFUSED, ids=[f"{action} {state}" for action, state in REFUSED])
def test_what_would_be_refused_is_not_offered(
    shared_world: World, standings: dict[str, int], action: str, state: str
) -> None:
    # Whether hosts can still be undone or tried again is judged by how they are then.
    offered = getattr(rollouts.rollout(standings[state]), f"may_{action}")
    assert offered is (state == "followed" and action in ("undo", "retry"))


@pytest.mark.parametrize(("action", "state"), ACCEPTED, ids=[f"{action} {state}" for action, state in ACCEPTED])
def test_an_action_that_the_state_allows_is_accepted_and_was_offered(
    client: FlaskClient, world: World, action: str, state: str
) -> None:
    rollout_id = MAKERS[state](world)
    row = rollouts.rollout(rollout_id)
    assert getattr(row, f"may_{action}")
    answer = client.post(f"{API}/{rollout_id}/{action}", headers=world.bearer())
    assert answer.status_code == 202, answer.text
    if action in ("undo", "retry"):
        data = answer.json["data"]
        assert set(data) == {"rollout_id", "accepted", "left_out"}
        assert (data["rollout_id"] is None) == (data["accepted"] == []) == row.undo_waits
    else:
        assert answer.json["data"]["id"] == rollout_id


def call(client: FlaskClient, world: World, path: str, **body: Any) -> dict[str, Any]:
    """The data of a call that is accepted."""
    answer = client.post(f"{API}/{path}", json=body, headers=world.bearer())
    assert answer.status_code == 202, answer.text
    return dict(answer.json["data"])


def preview(client: FlaskClient, world: World, path: str) -> dict[str, Any]:
    answer = client.get(f"{API}/{path}", headers=world.bearer())
    assert answer.status_code == 200, answer.text
    return dict(answer.json["data"])


def states(rollout_id: int) -> dict[str, str]:
    db.session.rollback()  # what the client did is not in the transaction that the test read in before
    return {step.hostname: step.state.value for step in step_queries.steps(rollout_id)}


def test_resume_goes_on_with_the_chosen_hosts_and_leaves_out_the_others(client: FlaskClient, world: World) -> None:
    rollout_id = MAKERS["gate"](world)
    call(client, world, f"{rollout_id}/resume", host=world.hosts["web-3"])
    assert states(rollout_id) == {"web-1": "succeeded", "web-2": "skipped", "web-3": "queued"}


def test_resume_refuses_a_host_that_does_not_wait(client: FlaskClient, world: World) -> None:
    rollout_id = MAKERS["gate"](world)
    both = f"{world.hosts['web-1']},{world.hosts['web-2']}"
    refuse(client, world, 417, "host", path=f"{API}/{rollout_id}/resume", json={"host": both})


def test_an_undo_takes_the_chosen_hosts_back_as_its_preview_said(client: FlaskClient, world: World) -> None:
    rollout_id = MAKERS["succeeded"](world)
    chosen = world.hosts["web-2"]
    everything = preview(client, world, f"{rollout_id}/undo")
    one = preview(client, world, f"{rollout_id}/undo?host={chosen}")
    assert [step["host"] for step in everything["steps"]] == ["web-1", "web-2", "web-3"]
    assert one["left_out"] == []
    assert [(step["host_id"], step["from_version"], step["to_version"]) for step in one["steps"]] == [
        (chosen, "1.2.0", "1.1.0")
    ]
    refuse(
        client,
        world,
        409,
        "plan",
        path=f"{API}/{rollout_id}/undo",
        json={"host": str(chosen), "plan": everything["plan"]},
    )
    body = {"host": str(chosen), "plan": one["plan"]}
    begun = call(client, world, f"{rollout_id}/undo", **body)
    assert begun["accepted"] == [chosen]
    assert call(client, world, f"{rollout_id}/undo", **body)["rollout_id"] == begun["rollout_id"]
    told = preview(client, world, f"{rollout_id}/undo")["left_out"]
    assert told == [
        {"host_id": chosen, "host": "web-2", "why": f"Rollout #{begun['rollout_id']} of ann holds it."},
    ]


def test_a_plan_that_the_world_has_overtaken_says_what_has_changed(client: FlaskClient, world: World) -> None:
    rollout_id = MAKERS["succeeded"](world)
    token = preview(client, world, f"{rollout_id}/undo")["plan"]
    call(client, world, f"{rollout_id}/undo", host=str(world.hosts["web-1"]))
    answer = refuse(client, world, 409, "plan", path=f"{API}/{rollout_id}/undo", json={"plan": token})
    assert "web-1: Rollout #" in answer["errors"]["plan"][0]


def test_an_undo_of_hosts_that_are_being_worked_on_begins_when_they_are_done(client: FlaskClient, world: World) -> None:
    rollout_id = MAKERS["running"](world)
    assert preview(client, world, f"{rollout_id}/undo") == {"plan": None, "steps": [], "left_out": []}
    refuse(client, world, 409, "host", path=f"{API}/{rollout_id}/undo", json={"host": str(world.hosts["web-1"])})
    assert call(client, world, f"{rollout_id}/undo") == {"rollout_id": None, "accepted": [], "left_out": []}
    assert states(rollout_id) == {"web-1": "succeeded", "web-2": "running", "web-3": "cancelled"}


def test_a_retry_is_of_the_failed_hosts(client: FlaskClient, world: World) -> None:
    rollout_id = MAKERS["failed"](world)
    found = preview(client, world, f"{rollout_id}/retry")
    assert [(step["host"], step["to_version"]) for step in found["steps"]] == [("web-2", "1.2.0")]
    begun = call(client, world, f"{rollout_id}/retry", plan=found["plan"])
    work(begun["rollout_id"], True)
    assert states(begun["rollout_id"]) == {"web-2": "succeeded"}


def test_a_retry_is_not_told_while_the_rollout_goes_on(
    reader: FlaskClient, shared_world: World, standings: dict[str, int]
) -> None:
    before = snapshot()
    answer = reader.get(f"{API}/{standings['all started']}/retry", headers=shared_world.bearer())
    assert answer.status_code == 409
    assert answer.json["msg"] == "This rollout has not ended yet."
    assert snapshot() == before


@pytest.mark.parametrize(("action", "state"), [("resume", "gate"), ("undo", "succeeded"), ("retry", "failed")])
def test_a_malformed_host_list_is_refused(
    reader: FlaskClient, shared_world: World, standings: dict[str, int], action: str, state: str
) -> None:
    for text in MALFORMED_HOSTS.values():
        refuse(reader, shared_world, 417, "host", path=f"{API}/{standings[state]}/{action}", json={"host": text})
    if action != "resume":
        path = f"{API}/{standings[state]}/{action}"
        for text in ("", "1,,2", "ALL", "01", "99999"):
            assert reader.get(path, query_string={"host": text}, headers=shared_world.bearer()).status_code == 417


@pytest.mark.parametrize("action", ["undo", "retry"])
def test_a_malformed_plan_is_refused(
    reader: FlaskClient, shared_world: World, standings: dict[str, int], action: str
) -> None:
    for text in MALFORMED_PLANS.values():
        refuse(reader, shared_world, 417, "plan", path=f"{API}/{standings['failed']}/{action}", json={"plan": text})


@pytest.mark.parametrize("action", ALLOWED)
def test_an_action_refuses_fields_that_it_does_not_know_and_a_rollout_that_is_not_there(
    reader: FlaskClient, shared_world: World, standings: dict[str, int], action: str
) -> None:
    refuse(reader, shared_world, 417, None, path=f"{API}/{standings['gate']}/{action}", json={"hosts": "all"})
    for rollout_id in ("0", "01", "99999", str(2**63), "１"):
        refuse(reader, shared_world, 404, None, path=f"{API}/{rollout_id}/{action}")


@pytest.mark.parametrize("action", ALLOWED)
def test_a_read_only_token_may_not_act(
    reader: FlaskClient, shared_world: World, standings: dict[str, int], action: str
) -> None:
    headers = shared_world.bearer(shared_world.reader_token)
    state = min(ALLOWED[action])
    refuse(reader, shared_world, 403, None, path=f"{API}/{standings[state]}/{action}", headers=headers)

"""A host on which a rollout failed, and which runs its old version again, is marked as seen: by page and over JSON."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from deployer.domain.errors import Conflict
from deployer.domain.status import Evidence, InstanceStatus
from deployer.domain.transitions import InstanceEvent, advance_instance
from deployer.operations import steps
from deployer.queries import fleet
from deployer.queries.fleet import InstanceFilter, InstanceRow
from deployer.queries.paging import Slice
from tests.web.conftest import OpenPage, Visitor
from tests.world import World, snapshot

Fail = Callable[[str | None], InstanceRow]


def row(world: World) -> InstanceRow:
    """web-1, as it stands."""
    (found,) = fleet.instances(world.service, InstanceFilter(search="web-1"), Slice()).rows
    return found


def begin(visitor: Visitor, world: World) -> int:
    """Start an upgrade of web-1; its id."""
    data = {"dest_version": world.versions["1.2.0"], "host": world.hosts["web-1"]}
    return int(visitor.start(world.url(), data).location.rpartition("/")[2])


@pytest.fixture
def fail(visitor: Visitor, world: World) -> Fail:
    """An upgrade of web-1 fails; the host answers with this version then, or with none."""

    def failed(running: str | None) -> InstanceRow:
        (taken,) = steps.take_steps(begin(visitor, world), "a worker", 1)
        assert steps.settle_step(taken, steps.Settlement(ok=False, running=running, error="It crashed."))
        return row(world)

    return failed


def call(visitor: Visitor, world: World, one: InstanceRow, token: str | None = None) -> TestResponse:
    path = f"/api/v1/services/{world.service}/instances/{one.id}/seen"
    return visitor.client.post(path, headers=world.bearer(token))


def test_its_row_offers_it_and_is_one_that_runs_afterwards(visitor: Visitor, world: World, fail: Fail) -> None:
    one = fail("1.1.0")
    standing = OpenPage(visitor, f"/services/{world.service}")
    assert f'id="seen-{one.id}"' in standing.html
    assert "1 failed" in standing.html
    answer = visitor.post(f"/services/{world.service}/instances/{one.id}/seen")
    assert (answer.status_code, answer.location) == (303, f"/services/{world.service}")
    sent = standing.poll()
    assert 'st-ok">Running' in sent[f"instance-{one.id}"]
    assert "seen-" not in sent[f"instance-{one.id}"]
    assert "It crashed." not in sent[f"instance-{one.id}"]
    assert (
        "failed" not in sent["service-facts"].replace("Last rollout", "").split("Last")[0].partition("State")[2][:200]
    )
    assert "ann marked what failed on web-1 for orders as seen" in visitor.get("/audit?verb=see").text


def test_over_json_the_instance_is_answered_as_it_is_then(visitor: Visitor, world: World, fail: Fail) -> None:
    answer = call(visitor, world, fail("1.1.0"))
    assert answer.status_code == 200
    assert answer.json["data"]["status_str"] == "running"
    assert answer.json["data"]["updated_by"] == "ann"


def test_an_unverified_one_has_to_be_asked_first(visitor: Visitor, world: World, fail: Fail) -> None:
    one = fail(None)
    before = snapshot()
    answer = call(visitor, world, one)
    assert answer.status_code == 409
    assert answer.json["msg"] == "Which version runs there has not been confirmed."
    assert answer.json["hint"] == "Have the host asked first, then try again."
    assert snapshot() == before
    assert "Mark as seen" not in visitor.get(f"/services/{world.service}").text


def test_a_locked_one_is_refused_and_says_who_holds_it(visitor: Visitor, world: World, fail: Fail) -> None:
    one = fail("1.1.0")
    rollout = begin(visitor, world)
    before = snapshot()
    for answer in (call(visitor, world, one), visitor.post(f"/services/{world.service}/instances/{one.id}/seen")):
        assert answer.status_code == 409
        assert f"Rollout #{rollout} of ann holds it." in answer.text
    assert snapshot() == before


def test_one_on_which_nothing_failed_is_refused(visitor: Visitor, world: World) -> None:
    answer = call(visitor, world, row(world))
    assert answer.status_code == 409
    assert answer.json["msg"] == "No failed rollout is left on this instance."


def test_another_services_instance_is_not_found(visitor: Visitor, world: World, fail: Fail) -> None:
    path = f"/api/v1/services/{world.other}/instances/{fail('1.1.0').id}/seen"
    assert visitor.client.post(path, headers=world.bearer()).status_code == 404


def test_who_may_only_look_is_not_offered_it(sqlite_app: Flask, visitor: Visitor, world: World, fail: Fail) -> None:
    one = fail("1.1.0")
    assert call(visitor, world, one, world.reader_token).status_code == 403
    visitor.client = visitor.client.application.test_client()
    assert visitor.sign_in("vic").status_code == 303
    assert "Mark as seen" not in visitor.get(f"/services/{world.service}").text


@pytest.mark.parametrize("status", InstanceStatus)
def test_only_a_failed_upgrade_or_revert_can_be_seen(status: InstanceStatus) -> None:
    if status in (InstanceStatus.UPGRADE_FAILED, InstanceStatus.REVERT_FAILED):
        assert advance_instance(status, InstanceEvent.SEE, Evidence.CONFIRMED) is InstanceStatus.RUNNING
    else:
        with pytest.raises(Conflict):
            advance_instance(status, InstanceEvent.SEE, Evidence.CONFIRMED)

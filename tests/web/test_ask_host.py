"""Asking a host which version it runs: the button, what it says meanwhile, and who may not."""

from __future__ import annotations

import json

from sqlalchemy import select

from deployer.domain.status import Evidence
from deployer.extensions import db
from deployer.models import Instance
from deployer.operations import probes
from deployer.queries import fleet
from deployer.queries.fleet import InstanceFilter
from deployer.queries.paging import Slice
from tests.standings import MAKERS, started
from tests.web.conftest import OpenPage, Visitor
from tests.world import ADMIN, World, snapshot


def first(service_id: int) -> fleet.InstanceRow:
    db.session.rollback()
    return fleet.instances(service_id, InstanceFilter(), Slice()).rows[0]


def unverified(service_id: int) -> fleet.InstanceRow:
    """The first instance, whose host did not answer the last time it was asked."""
    probes.ask(first(service_id).id, ADMIN)
    (probe,) = probes.waiting_probes()
    assert probes.settle_probe(probe, None)
    row = first(service_id)
    assert row.evidence is Evidence.UNVERIFIED
    return row


def test_an_unverified_version_can_be_probed_again(visitor: Visitor, world: World) -> None:
    row = unverified(world.service)
    service = f"/services/{world.service}"
    path = f"{service}/instances/{row.id}/probe"
    page = visitor.get(service).text
    assert f'<form method="post" action="{path}"' in page
    assert f'id="ask-{row.id}">Probe again<' in page

    answer = visitor.post(path)
    assert (answer.status_code, answer.location) == (303, service)
    page = visitor.get(service).text
    assert 'title="Asked by ann">Asking the host…</span>' in page
    assert f'id="ask-{row.id}"' not in page

    db.session.rollback()
    standing = OpenPage(visitor, service)
    (probe,) = probes.waiting_probes()
    assert probes.settle_probe(probe, "1.2.0")
    sent = standing.poll()[f"instance-{row.id}"]
    assert "Asking the host…" not in sent
    assert '<span class="tag mono">1.2.0</span>' in sent
    assert f'id="ask-{row.id}"' not in sent


def test_a_recorded_version_offers_to_ask_the_host(visitor: Visitor, world: World) -> None:
    row = first(world.service)
    assert f'id="ask-{row.id}">Ask the host<' in visitor.get(f"/services/{world.service}").text


def test_with_htmx_the_poller_brings_the_row(visitor: Visitor, world: World) -> None:
    path = f"/services/{world.service}/instances/{first(world.service).id}/probe"
    answer = visitor.post(path, headers={"HX-Request": "true"})
    assert answer.status_code == 204
    assert "rolloutStarted" in json.loads(answer.headers["HX-Trigger"])


def test_a_held_host_is_not_asked_and_it_is_said_who_holds_it(visitor: Visitor, world: World) -> None:
    rollout_id = MAKERS["running"](world)
    service_id = db.session.get_one(Instance, _held()).service_id
    row = fleet.instances(service_id, InstanceFilter(locked=True), Slice()).rows[0]
    assert f'id="ask-{row.id}"' not in visitor.get(f"/services/{service_id}").text
    page = refuse_page(visitor, f"/services/{service_id}/instances/{row.id}/probe")
    assert f"Rollout #{rollout_id} of root holds it." in page
    assert "It asks the host at its end. Wait for that." in page


def _held() -> int:
    return int(db.session.execute(select(Instance.id).where(Instance.rollout_id.is_not(None))).scalars().first() or 0)


def refuse_page(visitor: Visitor, path: str) -> str:
    before = snapshot()
    answer = visitor.post(path)
    assert answer.status_code == 409
    assert snapshot() == before
    return answer.text


def test_another_services_instance_and_one_that_is_not_there_do_not_exist(
    shared_visitor: Visitor, shared_world: World
) -> None:
    mine = first(shared_world.service).id
    for path in (
        f"/services/{shared_world.other}/instances/{mine}/probe",
        f"/services/{shared_world.service}/instances/99999/probe",
        f"/services/{shared_world.service}/instances/0/probe",
    ):
        before = snapshot()
        assert shared_visitor.post(path).status_code == 404
        api = shared_visitor.client.post("/api/v1" + path, headers=shared_world.bearer())
        assert api.status_code == 404
        assert snapshot() == before


def test_over_json_it_is_accepted_and_told(visitor: Visitor, world: World) -> None:
    path = f"/api/v1/services/{world.service}/instances/{first(world.service).id}/probe"
    answer = visitor.client.post(path, headers=world.bearer())
    assert answer.status_code == 202
    assert (answer.json["data"]["probe_by"], answer.json["data"]["evidence"]) == ("ann", "recorded")
    reader = visitor.client.post(path, headers=world.bearer(world.reader_token))
    assert reader.status_code == 403
    assert visitor.client.post(path, json={"x": 1}, headers=world.bearer()).status_code == 417


def test_over_json_a_held_host_is_a_conflict(visitor: Visitor, world: World) -> None:
    rollout_id = started(world, "held")
    service_id = db.session.get_one(Instance, _held()).service_id
    path = f"/api/v1/services/{service_id}/instances/{_held()}/probe"
    before = snapshot()
    answer = visitor.client.post(path, headers=world.bearer())
    assert answer.status_code == 409
    assert answer.json["msg"] == f"Rollout #{rollout_id} of root holds it."
    assert snapshot() == before


def test_a_viewer_is_not_offered_it(visitor: Visitor, world: World) -> None:
    viewer = Visitor(visitor.client.application.test_client())
    viewer.sign_in("vic")
    row = first(world.service)
    assert f'id="ask-{row.id}"' not in viewer.get(f"/services/{world.service}").text
    assert viewer.post(f"/services/{world.service}/instances/{row.id}/probe").status_code == 403

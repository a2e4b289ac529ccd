"""Ask a host again which version it runs."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy import select

from deployer.domain.errors import Conflict, NotFound
from deployer.domain.status import Evidence
from deployer.extensions import db
from deployer.models import AuditEntry, Instance
from deployer.operations import probes
from tests.operations.upgrades import fail, only, start, succeed, take
from tests.world import ADMIN, World, snapshot


def instance(world: World, host: str = "web-1") -> Instance:
    db.session.rollback()
    query = select(Instance).where(Instance.host_id == world.hosts[host], Instance.service_id == world.service)
    return db.session.execute(query).scalar_one()


def ask(world: World) -> probes.TakenProbe:
    probes.ask(instance(world).id, ADMIN)
    (question,) = probes.waiting_probes()
    return question


@pytest.mark.parametrize(
    ("answer", "version", "evidence"),
    [
        pytest.param("1.1.0", "1.1.0", Evidence.CONFIRMED, id="as recorded"),
        pytest.param("1.0.0", "1.0.0", Evidence.CONFIRMED, id="another one"),
        pytest.param("9.9.9", "1.1.0", Evidence.UNVERIFIED, id="one that is not recorded"),
        pytest.param(None, "1.1.0", Evidence.UNVERIFIED, id="nothing"),
    ],
)
def test_what_the_host_says_is_recorded(
    app: Flask, world: World, answer: str | None, version: str, evidence: Evidence
) -> None:
    assert probes.settle_probe(ask(world), answer)
    row = instance(world)
    assert (row.version_id, row.evidence, row.probe_by) == (world.versions[version], evidence, None)
    assert probes.waiting_probes() == []
    entry = db.session.execute(select(AuditEntry).where(AuditEntry.verb == "probe")).scalar_one()
    assert (entry.facts["recorded"], entry.facts["running"]) == ("1.1.0", answer)


def test_two_answers_to_one_question_are_recorded_once(app: Flask, world: World) -> None:
    question = ask(world)
    assert probes.settle_probe(question, "1.0.0")
    before = snapshot()
    assert not probes.settle_probe(question, "1.8.0")
    assert snapshot() == before


def test_an_answer_from_before_a_rollout_is_thrown_away(app: Flask, world: World) -> None:
    question = ask(world)
    rollout_id = start(world, hosts=only(world, "web-1"))
    assert probes.waiting_probes() == []  # the rollout asks anyway
    before = snapshot()
    assert not probes.settle_probe(question, "1.0.0")
    assert snapshot() == before
    succeed(*take(rollout_id))
    before = snapshot()
    assert not probes.settle_probe(question, "1.0.0")
    assert snapshot() == before


def test_a_host_that_a_rollout_holds_is_not_asked(app: Flask, world: World) -> None:
    rollout_id = start(world, hosts=only(world, "web-1"))
    before = snapshot()
    with pytest.raises(Conflict, match=f"#{rollout_id}"):
        probes.ask(instance(world).id, ADMIN)
    assert snapshot() == before


def test_an_instance_that_does_not_exist_is_not_asked(app: Flask, world: World) -> None:
    with pytest.raises(NotFound):
        probes.ask(999, ADMIN)


def test_asking_takes_the_doubt_off_a_host_that_was_lost(app: Flask, world: World) -> None:
    fail(*take(start(world, hosts=only(world, "web-1"))), running=None)
    assert instance(world).evidence is Evidence.UNVERIFIED
    assert probes.settle_probe(ask(world), "1.2.0")
    row = instance(world)
    assert (row.version_id, row.evidence) == (world.versions["1.2.0"], Evidence.CONFIRMED)

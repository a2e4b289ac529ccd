"""S2: of many who want overlapping hosts at once, exactly one wins each set; the others are told who holds it."""

from __future__ import annotations

from flask import Flask
from sqlalchemy import func, select

from deployer.extensions import db
from deployer.models import Instance, Rollout, Step
from tests.server import Server
from tests.storm import overlapping, prepare, storm

GROUPS, CLIENTS = 4, 40


def test_exactly_one_request_wins_each_host_set_and_everyone_else_is_told_the_holder(app: Flask) -> None:
    ground = prepare(GROUPS * 6)
    with Server(app.config["SETTINGS"]) as server:
        answers = storm(server.port, ground, overlapping(ground, GROUPS, CLIENTS))
    assert len(answers) == CLIENTS
    winners = [answer for answer in answers if answer.status == 202]
    losers = [answer for answer in answers if answer.status != 202]
    assert {answer.status for answer in losers} == {409}
    assert len(winners) == GROUPS
    held = [host for answer in winners for host in answer.asked]
    assert len(held) == len(set(held)), "a host was given twice"
    for loser in losers:
        errors = loser.body["errors"]
        assert isinstance(errors, dict)
        assert "ann: upgrade" in errors["host"][0]
        assert "host-" in errors["host"][0]
    db.session.rollback()
    for winner in winners:
        data = winner.body["data"]
        assert isinstance(data, dict)
        claimed = select(Instance.host_id).where(Instance.rollout_id == data["rollout_id"])
        assert set(db.session.execute(claimed).scalars()) == set(winner.asked) == set(data["accepted"])
    assert db.session.execute(select(func.count()).select_from(Rollout)).scalar_one() == GROUPS
    assert db.session.execute(select(func.count()).select_from(Step)).scalar_one() == len(held)

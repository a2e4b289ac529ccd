"""What the dialog says would happen, and that over HTML nothing starts that was not shown."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, insert, select

from deployer.domain.access import Role
from deployer.domain.recipe import ReleaseRecipe
from deployer.domain.status import Evidence, InstanceStatus
from deployer.extensions import db
from deployer.models import Host, Instance, Rollout
from deployer.operations import people, steps
from deployer.operations.catalog import NewService, change_service
from tests.web.conftest import PLAN, Visitor
from tests.world import ADMIN, PASSWORD, World, snapshot


def ticks(world: World, *hostnames: str, **more: Any) -> list[tuple[str, Any]]:
    """A form with these hosts ticked."""
    hosts = [("host_id", world.hosts[name]) for name in hostnames]
    return [("dest_version", world.versions["1.2.0"]), *hosts, *more.items()]


def rollouts() -> int:
    db.session.rollback()
    return db.session.execute(select(func.count()).select_from(Rollout)).scalar_one()


def test_it_names_hosts_waves_pause_and_what_happens_on_failure(visitor: Visitor, world: World) -> None:
    how = {"wave_size": "2", "stop_after": "2", "pause_after_first": "true", "on_failure": "undo"}
    before = snapshot()
    text, token = visitor.look(world.url(), ticks(world, "web-1", "web-2", "web-3", **how))
    assert token
    for words in (
        "3 hosts go from 1.1.0 up to 1.2.0.",
        "2 waves, one after the other.",
        "After wave 1 it waits until somebody lets it go on.",
        "Once 2 hosts have failed, no further one is started.",
        "Then every host that was touched goes back to its previous version.",
    ):
        assert words in text
    assert re.findall(r'Wave (\d) |class="host">(web-\d)<|(It waits here)', text) == [
        ("1", "", ""),
        ("", "web-1", ""),
        ("", "web-2", ""),
        ("", "", "It waits here"),
        ("2", "", ""),
        ("", "web-3", ""),
    ]
    assert snapshot() == before


def test_it_says_when_a_pause_or_a_stop_cannot_come(shared_visitor: Visitor, shared_world: World) -> None:
    how = {"pause_after_first": "true", "stop_after": "3"}
    text, token = shared_visitor.look(shared_world.url(), ticks(shared_world, "web-1", "web-2", **how))
    assert token
    assert "One wave: all at once." in text
    assert "It does not pause, because there is only one wave." in text
    assert "It goes on to the last host, whatever fails." in text


def test_a_revert_goes_back(shared_visitor: Visitor, shared_world: World) -> None:
    data = [("dest_version", shared_world.versions["1.0.0"]), ("host", "all")]
    text, token = shared_visitor.look(shared_world.url(action="revert"), data)
    assert token
    assert "3 hosts go from 1.1.0 back to 1.0.0." in text


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ([], "Nothing is chosen yet."),
        ([("host_id", "1"), ("wave_size", "0%")], "This is not the size of a wave."),
        ([("host_id", "1"), ("stop_after", "")], "This is not a number of failed hosts."),
        ([("host_id", "1"), ("on_failure", "UNDO")], "This does not say what to do on failure."),
        ([("host_id", "1"), ("pause_after_first", "2")], "This is neither yes nor no."),
        ([("host_id", "9999")], "Please send the right host ids."),
        ([("host_id", "1"), ("host", "all")], "Tick either every host or single hosts."),
    ],
)
def test_a_choice_that_leads_nowhere_is_told_in_its_place_without_a_token(
    shared_visitor: Visitor, shared_world: World, more: list[tuple[str, str]], words: str
) -> None:
    data = [("dest_version", shared_world.versions["1.2.0"]), *more]
    answer = shared_visitor.post(shared_world.url() + "/plan", data)
    assert answer.status_code == 200
    assert words in answer.text
    assert not PLAN.search(answer.text)
    assert 'role="alert"' not in answer.text


def test_a_locked_host_is_told_with_its_holder(visitor: Visitor, world: World) -> None:
    assert visitor.start(world.url(), ticks(world, "web-1")).status_code == 303
    text, token = visitor.look(world.url(), ticks(world, "web-1", "web-2"))
    assert token == ""
    assert "web-1 (#1 ann: upgrade" in text


def test_a_long_plan_is_counted_and_not_listed(sqlite_app: Flask, sqlite_world: World) -> None:
    names = [f"many-{number:04}" for number in range(1200)]
    db.session.execute(insert(Host), [{"hostname": n, "address": "127.0.0.1", "directory": f"/srv/{n}"} for n in names])
    ids = db.session.execute(select(Host.id).where(Host.hostname.like("many-%"))).scalars().all()
    row = {
        "service_id": sqlite_world.service,
        "version_id": sqlite_world.versions["1.1.0"],
        "port": 8000,
        "status": InstanceStatus.RUNNING,
        "evidence": Evidence.RECORDED,
    }
    db.session.execute(insert(Instance), [row | {"host_id": host_id} for host_id in ids])
    db.session.commit()
    ann = Visitor(sqlite_app.test_client())
    assert ann.sign_in().status_code == 303
    everyone = [("dest_version", sqlite_world.versions["1.2.0"]), ("host", "all")]
    for size, rest in {"": "and 704 more hosts", "1": "and 953 more waves"}.items():
        text, token = ann.look(sqlite_world.url(), [*everyone, ("wave_size", size)])
        assert token
        assert "1203 hosts go from" in text
        assert text.count("<li>") < 510
        assert rest in text
        assert "<details>" in text  # folded


def test_the_first_press_shows_the_plan_and_the_second_starts_it(visitor: Visitor, world: World) -> None:
    before = snapshot()
    form = ticks(world, "web-1", "web-3", reason="typed <before>", wave_size="1")
    page = visitor.post(world.url(), form)
    assert page.status_code == 200
    assert "Review what will happen, then press the button again." in page.text
    assert ">Upgrade 2 hosts to 1.2.0</button>" in page.text
    assert 'value="typed &lt;before&gt;"' in page.text
    assert snapshot() == before
    token = PLAN.search(page.text)
    assert token
    answer = visitor.post(world.url(), [*form, ("plan", token[1])])
    assert (answer.status_code, answer.location) == (303, "/rollouts/1")


def test_another_choice_than_the_one_that_was_shown_is_shown_first(visitor: Visitor, world: World) -> None:
    _, token = visitor.look(world.url(), ticks(world, "web-1"))
    before = snapshot()
    page = visitor.post(world.url(), ticks(world, "web-1", "web-2", plan=token))
    assert page.status_code == 200
    assert "Review what will happen" in page.text
    assert 'class="alert" role="alert"' not in page.text
    assert snapshot() == before
    fresh = PLAN.search(page.text)
    assert fresh
    assert visitor.post(world.url(), ticks(world, "web-1", "web-2", plan=fresh[1])).status_code == 303


def test_the_kind_of_client_makes_no_difference(shared_visitor: Visitor, shared_world: World) -> None:
    before = snapshot()
    form = ticks(shared_world, "web-1")
    answer = shared_visitor.post(shared_world.url(), form, headers={"HX-Request": "true"})
    assert answer.status_code == 200
    assert PLAN.search(answer.text)
    assert snapshot() == before


def test_a_changed_world_brings_the_form_back_with_what_changed(visitor: Visitor, world: World) -> None:
    form = ticks(world, "web-1", "web-2")
    _, token = visitor.look(world.url(), form)
    change_service(world.service, NewService("orders", ReleaseRecipe(restart=("false",))), ADMIN)
    before = snapshot()
    page = visitor.post(world.url(), [*form, ("plan", token)])
    assert page.status_code == 409
    assert "What would happen now is not what you were shown." in page.text
    assert "<br>orders: The service or its recipe was changed." in page.text
    assert snapshot() == before
    fresh = PLAN.search(page.text)
    assert fresh
    assert fresh[1] != token
    assert visitor.post(world.url(), [*form, ("plan", fresh[1])]).status_code == 303


def test_what_happens_to_other_hosts_does_not_spoil_the_plan(visitor: Visitor, world: World) -> None:
    form = ticks(world, "web-1")
    _, token = visitor.look(world.url(), form)
    assert visitor.start(world.url(), ticks(world, "web-3")).status_code == 303
    assert visitor.post(world.url(), [*form, ("plan", token)]).location == "/rollouts/2"


def test_a_host_that_moved_on_meanwhile_is_named_and_deselected(visitor: Visitor, world: World) -> None:
    form = ticks(world, "web-1", "web-2")
    _, token = visitor.look(world.url(), form)
    assert visitor.start(world.url(), ticks(world, "web-2")).status_code == 303
    (lease,) = steps.take_steps(1, "a worker", 1)
    steps.settle_step(lease, steps.Settlement(ok=True, running="1.2.0"))
    page = visitor.post(world.url(), [*form, ("plan", token)])
    assert page.status_code == 409
    assert "<br>web-2: It runs 1.2.0 now." in page.text
    assert "Hosts that do not run 1.1.0 any more have been deselected." in page.text
    assert "1 host goes from 1.1.0 up to 1.2.0." in page.text
    assert f'name="host_id" value="{world.hosts["web-2"]}"' not in page.text
    fresh = PLAN.search(page.text)
    assert fresh
    assert visitor.post(world.url(), ticks(world, "web-1", plan=fresh[1])).status_code == 303


def test_a_locked_host_is_deselected_and_the_rest_is_planned_anew(visitor: Visitor, world: World) -> None:
    form = ticks(world, "web-1", "web-2")
    _, token = visitor.look(world.url(), form)
    assert visitor.start(world.url(), ticks(world, "web-2")).status_code == 303
    page = visitor.post(world.url(), [*form, ("plan", token)])
    assert page.status_code == 409
    assert "Locked hosts have been deselected" in page.text
    fresh = PLAN.search(page.text)
    assert fresh
    assert visitor.post(world.url(), ticks(world, "web-1", plan=fresh[1])).status_code == 303
    assert rollouts() == 2


@pytest.mark.parametrize("headers", [{}, {"HX-Request": "true"}], ids=["without script", "with script"])
def test_the_same_form_sent_twice_starts_one_rollout(visitor: Visitor, world: World, headers: dict[str, str]) -> None:
    form = ticks(world, "web-1")
    form.append(("plan", visitor.look(world.url(), form)[1]))
    first, second = (visitor.post(world.url(), form, headers=headers) for _ in range(2))
    assert first.status_code == second.status_code == (204 if headers else 303)
    assert first.location == second.location
    assert first.headers.get("HX-Trigger") == second.headers.get("HX-Trigger")
    assert rollouts() == 1


def test_nobody_else_gets_that_rollout_by_its_token(app: Flask, visitor: Visitor, world: World) -> None:
    people.create_user("bea", PASSWORD, Role.ADMINISTRATOR, "root")
    bea = Visitor(app.test_client())
    assert bea.sign_in("bea").status_code == 303
    form = ticks(world, "web-1")
    form.append(("plan", visitor.look(world.url(), form)[1]))
    assert visitor.post(world.url(), form).status_code == 303
    assert bea.post(world.url(), form).status_code == 409
    assert rollouts() == 1

"""Roles are given and taken on a page, over the API and on the command line; they hold at once."""

from __future__ import annotations

import re
import threading

import pytest
from flask import Flask, g
from flask_login import login_user
from sqlalchemy import select

from deployer.domain.access import Actor, Role, Scope
from deployer.domain.errors import Conflict, Forbidden, Invalid, NotFound
from deployer.domain.hosts import HostChoice
from deployer.domain.plan import StartRollout
from deployer.domain.status import Action
from deployer.extensions import db
from deployer.models import AuditEntry, ServiceRole, User
from deployer.operations import people, roles, rollouts, tokens
from deployer.operations.sign_ins import SignedIn
from deployer.queries import names
from deployer.web.auth import Person, may
from tests.web.conftest import OpenPage, Visitor
from tests.web.test_live import quantised, renders, visitor_of
from tests.world import ADMIN, PASSWORD, World, snapshot

ANN = Actor("ann", Role.ADMINISTRATOR)


def upgrade(world: World, actor: Actor) -> int:
    source, target = world.versions["1.1.0"], world.versions["1.2.0"]
    command = StartRollout(world.service, source, Action.UPGRADE, target, HostChoice(everyone=True))
    return rollouts.start(command, actor).rollout_id


def test_a_role_for_one_service_is_given_used_and_taken_away(visitor: Visitor, app: Flask, world: World) -> None:
    vic, viewer = names.user_id("vic"), visitor_of(app, "vic")
    given = {"service_id": world.service, "role": "deployer"}
    assert viewer.get(world.url()).status_code == 403
    assert visitor.post(f"/people/{vic}/services", given).status_code == 303
    assert viewer.get(world.url()).status_code == 200
    assert viewer.get(f"/services/{world.other}/versions/{world.other_version}/upgrade").status_code == 403
    page = visitor.get(f"/people/{vic}").text
    assert "orders" in page
    assert visitor.post(f"/people/{vic}/services", given | {"role": "none"}).status_code == 303
    assert viewer.get(world.url()).status_code == 403
    db.session.rollback()
    assert db.session.execute(select(ServiceRole)).first() is None
    entries = select(AuditEntry).where(~AuditEntry.refused).order_by(AuditEntry.id.desc())
    taken = db.session.execute(entries.limit(1)).scalar_one()
    assert (taken.actor, taken.verb, taken.service_id) == ("ann", "give_service_role", world.service)
    assert taken.facts["changes"] == {"role": ["deployer", "none"]}


def test_who_has_no_role_for_all_sees_their_own_services_alone(visitor: Visitor, app: Flask, world: World) -> None:
    vic, guest = names.user_id("vic"), visitor_of(app, "vic")
    visitor.post(f"/people/{vic}/role", {"role": "none"})
    assert "have none yet" in guest.get("/services").text
    assert "/hosts" not in guest.get("/services").text
    assert 'href="/people"' not in guest.get("/people/me").text
    assert 'href="/people"' in visitor.get("/people/me").text
    assert guest.get(f"/services/{world.service}").status_code == 404
    visitor.post(f"/people/{vic}/services", {"service_id": world.service, "role": "viewer"})
    page = guest.get("/services").text
    assert "orders" in page
    assert f"/services/{world.other}" not in page


def test_a_service_leads_to_who_has_which_role_for_it(visitor: Visitor, app: Flask, world: World) -> None:
    people.create_user("bob", PASSWORD, Role.NONE, "root")
    people.create_user("eve", PASSWORD, Role.NONE, "root")
    roles.give_for_service(names.user_id("vic"), world.service, Role.DEPLOYER, ANN)
    roles.give_for_service(names.user_id("bob"), world.service, Role.MAINTAINER, ANN)
    roles.give_for_service(names.user_id("eve"), world.other, Role.MAINTAINER, ANN)
    link = f'href="/people?service_id={world.service}"'
    assert link in visitor.get(f"/services/{world.service}").text
    page = visitor.get(f"/people?service_id={world.service}").text
    rows = re.findall(r'<th scope="row">(\w+).*?<td>(.*?)</td>', page, re.DOTALL)
    assert rows == [("ann", "Administrator"), ("bob", "Maintainer"), ("vic", "Deployer")]
    assert page.count("for this service") == 2
    guest = visitor_of(app, "bob")
    assert link not in guest.get(f"/services/{world.service}").text
    assert guest.get(f"/people?service_id={world.service}").status_code == 403
    assert visitor.get("/people?service_id=99999").status_code == 404
    assert visitor.get("/people?service_id=x").status_code == 422


def test_a_page_without_a_button_says_who_may(visitor: Visitor, app: Flask, world: World) -> None:
    people.create_user("bob", PASSWORD, Role.VIEWER, "root")
    visitor.post(f"/people/{names.user_id('bob')}/services", {"service_id": world.service, "role": "deployer"})
    viewer = visitor_of(app, "vic")
    assert "ask bob, ann." in viewer.get(f"/services/{world.service}").text
    assert "ask ann." in viewer.get(f"/services/{world.other}").text
    assert "Ask bob, ann, who may." in viewer.get(world.url()).text


def test_an_open_page_learns_of_a_new_role_by_its_next_polls(visitor: Visitor, app: Flask, world: World) -> None:
    standing = OpenPage(visitor_of(app, "vic"), f"/services/{world.service}")
    assert 'id="upgrade"' not in standing.html
    assert standing.poll() == {}
    with quantised(app):
        assert standing.poll() == {}
        roles.give(names.user_id("vic"), Role.DEPLOYER, ANN)
        assert standing.poll() == {}, "who it is was looked up just now"
    answer = standing.visitor.get(standing.address, query_string=standing._asked())
    assert (answer.status_code, answer.headers["HX-Refresh"]) == (204, "true")
    anew = OpenPage(standing.visitor, f"/services/{world.service}")
    assert 'id="upgrade"' in anew.html
    assert "HX-Refresh" not in anew.visitor.get(anew.address, query_string=anew._asked()).headers


def test_a_page_that_was_loaded_anew_is_not_loaded_again_and_again(visitor: Visitor, app: Flask, world: World) -> None:
    standing = OpenPage(visitor_of(app, "vic"), f"/services/{world.service}")
    with quantised(app):
        assert standing.poll() == {}
        roles.give(names.user_id("vic"), Role.DEPLOYER, ANN)
        anew = OpenPage(standing.visitor, f"/services/{world.service}")
        assert "HX-Refresh" not in anew.visitor.get(anew.address, query_string=anew._asked()).headers


def test_an_open_page_of_what_one_may_not_see_any_more_is_loaded_anew(
    visitor: Visitor, app: Flask, world: World
) -> None:
    standing = OpenPage(visitor_of(app, "vic"), f"/services/{world.service}")
    roles.give(names.user_id("vic"), Role.NONE, ANN)
    answer = standing.visitor.get(standing.address, query_string=standing._asked())
    assert (answer.status_code, answer.headers["HX-Refresh"]) == (204, "true")
    assert standing.visitor.get(f"/services/{world.service}").status_code == 404


def test_what_is_shared_is_shared_by_rights_for_each_service(app: Flask, world: World) -> None:
    for name, service in (("dan", world.service), ("eve", world.other)):
        people.create_user(name, PASSWORD, Role.VIEWER, "root")
        roles.give_for_service(names.user_id(name), service, Role.DEPLOYER, ANN)
    standing = {name: OpenPage(visitor_of(app, name), "/services") for name in ("dan", "eve")}
    rollouts.cancel(upgrade(world, ADMIN), ADMIN)
    sent = {name: page.poll()[f"service-{world.service}"] for name, page in standing.items()}
    assert f'id="upgrade-{world.service}"' in sent["dan"]
    assert f'id="upgrade-{world.service}"' not in sent["eve"]


def test_roles_elsewhere_make_no_difference_to_a_page_of_one_service(app: Flask, world: World) -> None:
    for name in ("dan", "eve"):
        people.create_user(name, PASSWORD, Role.VIEWER, "root")
    roles.give_for_service(names.user_id("eve"), world.other, Role.MAINTAINER, ANN)
    standing = [OpenPage(visitor_of(app, name), f"/services/{world.service}") for name in ("dan", "eve")]
    rollouts.cancel(upgrade(world, ADMIN), ADMIN)
    with renders() as counted:
        assert all(page.poll() for page in standing)
    assert counted["shared/_changes.html"] == 1


def test_what_is_shared_for_one_service_cannot_depend_on_another(app: Flask, world: World) -> None:
    with app.test_request_context("/"):
        login_user(Person(SignedIn("key", ADMIN)))
        g.about = world.service
        assert may("roll_out", world.service)
        with pytest.raises(LookupError):
            may("roll_out", world.other)


def test_shutting_out_ends_sessions_and_tokens_at_once(visitor: Visitor, app: Flask, world: World) -> None:
    vic, viewer = names.user_id("vic"), visitor_of(app, "vic")
    secret = tokens.create_token("vic", "x", Scope.READ, "root")
    assert visitor.post(f"/people/{vic}/disable").status_code == 303
    assert viewer.get("/services").status_code == 302
    assert app.test_client().get("/api/v1/services", headers=world.bearer(secret)).status_code == 401
    assert "cannot sign in" in visitor.get(f"/people/{vic}").text
    assert visitor.post(f"/people/{vic}/enable").status_code == 303
    assert app.test_client().get("/api/v1/services", headers=world.bearer(secret)).status_code == 200


def test_nobody_changes_what_they_may_do_themselves(visitor: Visitor, world: World) -> None:
    ann = names.user_id("ann")
    before = snapshot()
    assert visitor.post(f"/people/{ann}/role", {"role": "viewer"}).status_code == 403
    assert visitor.post(f"/people/{ann}/disable").status_code == 403
    given = {"service_id": world.service, "role": "maintainer"}
    assert visitor.post(f"/people/{ann}/services", given).status_code == 403
    assert snapshot() == before


def test_the_last_who_administers_stays(app: Flask, world: World) -> None:
    with pytest.raises(Conflict):
        roles.give(names.user_id("ann"), Role.MAINTAINER, ADMIN)
    with pytest.raises(Conflict):
        roles.let_in(names.user_id("ann"), False, ADMIN)
    roles.give(names.user_id("vic"), Role.ADMINISTRATOR, ADMIN)
    roles.let_in(names.user_id("ann"), False, ADMIN)
    with pytest.raises(Conflict):
        roles.give(names.user_id("vic"), Role.VIEWER, ADMIN)


def test_of_two_who_take_it_from_each_other_at_once_one_stays(app: Flask, world: World) -> None:
    roles.give(names.user_id("vic"), Role.ADMINISTRATOR, ADMIN)
    ids = [names.user_id(name) for name in ("ann", "vic")]
    db.session.remove()
    begin, refused = threading.Barrier(2), []

    def demote(user_id: int) -> None:
        with app.app_context():
            begin.wait(10)
            try:
                roles.give(user_id, Role.VIEWER, ADMIN)
            except Conflict as problem:
                refused.append(problem)

    threads = [threading.Thread(target=demote, args=(user_id,)) for user_id in ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    left = db.session.execute(select(User.name).where(User.role == Role.ADMINISTRATOR)).scalars().all()
    assert (len(left), len(refused)) == (1, 1)


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.ADMINISTRATOR])
def test_only_an_administrator_gives_roles(app: Flask, world: World, role: Role) -> None:
    vic = names.user_id("vic")
    for operation in (
        lambda who: roles.give(vic, Role.ADMINISTRATOR, who),
        lambda who: roles.give_for_service(vic, world.service, Role.MAINTAINER, who),
        lambda who: roles.let_in(vic, False, who),
    ):
        with pytest.raises(Forbidden):
            operation(Actor("vic", role, roles=((world.service, Role.MAINTAINER),)))


def test_what_cannot_be_given_is_refused_and_changes_nothing(visitor: Visitor, world: World) -> None:
    vic = names.user_id("vic")
    before = snapshot()
    for path, data, status in (
        ("role", {"role": "root"}, 422),
        ("role", {}, 422),
        ("services", {"service_id": world.service, "role": "administrator"}, 422),
        ("services", {"service_id": "x", "role": "viewer"}, 422),
        ("services", {"service_id": 10**9, "role": "viewer"}, 422),
        ("disable", {"x": "1"}, 422),
    ):
        assert visitor.post(f"/people/{vic}/{path}", data).status_code == status, (path, data)
    assert visitor.post("/people/999/role", {"role": "viewer"}).status_code == 404
    with pytest.raises(Invalid):
        roles.give_for_service(vic, world.service, Role.ADMINISTRATOR, ANN)
    with pytest.raises(NotFound):
        roles.give_for_service(vic, 10**9, Role.VIEWER, ANN)
    assert snapshot() == before


def test_roles_are_given_over_the_api_too(app: Flask, world: World) -> None:
    vic, client = names.user_id("vic"), app.test_client()

    def post(what: str, **data: object) -> dict[str, object]:
        answer = client.post(f"/api/v1/people/{vic}/{what}", json=data, headers=world.bearer())
        assert answer.status_code == 200, answer.text
        found: dict[str, object] = answer.json["data"]
        return found

    assert post("role", role="none")["role"] == "none"
    given = post("services", service_id=world.service, role="maintainer")
    assert given["services"] == [{"id": world.service, "name": "orders", "role": "maintainer"}]
    assert post("disable")["active"] is False
    listed = client.get("/api/v1/people", headers=world.bearer()).json["data"]
    assert [(one["name"], one["active"]) for one in listed] == [("ann", True), ("vic", False)]
    assert post("enable")["active"] is True

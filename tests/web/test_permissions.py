"""Who gets in where: every route states what it asks for, and asks for that of everybody, on pages and in the API."""

from __future__ import annotations

import pytest
from flask import Flask

from deployer.domain.access import Role, Scope, Verb
from deployer.web.permissions import stated_of
from tests.web.town import FOREIGN, PEOPLE, REFUSED, Somebody, Town, routes, things
from tests.world import snapshot

# What each scope is for, written down once more like the roles.
MAY_BE_USED_FOR = {
    Scope.READ: {Verb.VIEW, Verb.AUDIT},
    Scope.BUILDS: {Verb.VIEW, Verb.RECORD_BUILD},
    Scope.DEPLOY: {Verb.VIEW, Verb.ROLL_OUT},
    Scope.MANAGE: set(Verb),
}

ENDS_ANOTHER = "api._revoke"


def test_every_route_states_its_permission(sqlite_app: Flask) -> None:
    assert [rule.rule for rule in sqlite_app.url_map.iter_rules() if stated_of(sqlite_app, rule.endpoint) is None] == []


def test_only_these_routes_are_open_to_everybody(sqlite_app: Flask) -> None:
    found = {rule.rule for rule, _, stated in routes(sqlite_app) if stated.public}
    assert found == {
        "/",
        "/sign-in",
        "/sign-in/elsewhere",
        "/sign-in/elsewhere/back",
        "/sign-out",
        "/language",
        "/static/<path:filename>",
        "/api",
        "/api/openapi.json",
    }


@pytest.mark.parametrize("somebody", PEOPLE, ids=lambda one: one.name)
def test_each_person_gets_in_where_the_route_says_and_nowhere_else(town: Town, somebody: Somebody) -> None:
    wrong = []
    town.as_it_was()
    before = snapshot()
    for rule, method, stated in routes(town.app):
        if stated.public:
            continue
        for of in things(rule):
            verb = stated.verb
            gets_in = verb is None or somebody.may(verb, of)
            gets_in = gets_in or (stated.anywhere and somebody.may(verb, "own"))
            hidden = of is not None and not somebody.may(Verb.VIEW, of)
            status = town.call(somebody, rule, method, of).status_code
            if gets_in:
                right = status not in REFUSED and status < 500
                if method == "POST":
                    town.as_it_was()
            else:
                reloads = rule.endpoint.endswith("changes")
                right = status == (204 if reloads else 404 if hidden else 403) and snapshot() == before
            if not right:
                wrong.append((method, rule.rule, of, status, gets_in))
    assert wrong == []


def test_who_is_not_signed_in_gets_nothing(town: Town) -> None:
    wrong = []
    town.as_it_was()
    before = snapshot()
    for rule, method, stated in routes(town.app):
        if stated.public:
            continue
        for of in things(rule):
            status = town.call(None, rule, method, of).status_code
            expected = 302 if method == "GET" and not rule.rule.startswith("/api/") else 401
            if status != expected:
                wrong.append((method, rule.rule, of, status))
    assert wrong == []
    assert snapshot() == before


@pytest.mark.parametrize("somebody", [one for one in PEOPLE if one.role is Role.NONE], ids=lambda one: one.name)
def test_nothing_of_a_service_reaches_those_who_may_not_see_it(town: Town, somebody: Somebody) -> None:
    town.as_it_was()
    administrator = next(one for one in PEOPLE if one.role is Role.ADMINISTRATOR)
    leaked, seen = [], 0
    for rule, method, stated in routes(town.app):
        if method != "GET" or stated.public:
            continue
        for of in things(rule):
            # What is kept for all who look was made for somebody who sees everything.
            theirs = town.call(administrator, rule, method, of).text
            mine = town.call(somebody, rule, method, of)
            seen += FOREIGN in theirs
            if FOREIGN in mine.text.replace(rule.rule, ""):
                leaked.append((rule.rule, of, mine.status_code))
    assert leaked == []
    assert seen > 20, "there was something to leak"


@pytest.mark.parametrize("scope", Scope)
def test_a_token_gets_in_where_its_scope_says_and_nowhere_else(town: Town, scope: Scope) -> None:
    """Its owner is an administrator, so nothing but the scope keeps it out."""
    wrong = []
    town.as_it_was()
    before = snapshot()
    bearer = Somebody(scope.value, Role.ADMINISTRATOR)
    town.their_token_ids[bearer.name] = town.their_token_ids["all-administrator"]
    for rule, method, stated in routes(town.app):
        if not rule.rule.startswith("/api/"):
            continue
        gets_in = stated.verb is None or stated.verb in MAY_BE_USED_FOR[scope]
        if rule.endpoint == ENDS_ANOTHER:  # a token that may not do everything may end itself alone
            gets_in = scope is Scope.MANAGE
        status = town.call(bearer, rule, method, things(rule)[0]).status_code
        right = status not in REFUSED and status < 500 if gets_in else status == 403 and snapshot() == before
        if gets_in and method == "POST":
            town.as_it_was()
        if not right:
            wrong.append((method, rule.rule, status, gets_in))
    assert wrong == []

"""An application with two services and everybody signed in to it, and a way to call every route of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import parse_qsl

from argon2 import PasswordHasher
from flask import Flask, url_for
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from deployer.domain.access import OF_SERVICE, Role, Scope, Verb
from deployer.domain.hosts import HostChoice
from deployer.domain.plan import StartRollout
from deployer.domain.reach import CredentialKind, fingerprint
from deployer.domain.status import Action, BuildStatus
from deployer.extensions import db
from deployer.models import ServiceRole, SignIn, Step, Token, User
from deployer.operations import catalog, credentials, fleet, host_keys, passwords, people, rollouts, tokens
from deployer.operations.catalog import Build, NewService, NewVersion
from deployer.operations.fleet import NewHost, NewInstance
from deployer.queries import catalog as queries
from deployer.web.permissions import Permission, stated_of
from tests.restorable import keep, restore
from tests.web.conftest import Visitor
from tests.world import ADMIN, PASSWORD, World

FOREIGN = "zephyr"  # in the name of everything that is of the other service
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGZvb2Jhcg=="
# What each role is for, written down once more: the program's own table must come to the same.
MAY: dict[Role, set[Verb]] = {
    Role.NONE: set(),
    Role.VIEWER: {Verb.VIEW},
    Role.DEPLOYER: {Verb.VIEW, Verb.RECORD_BUILD, Verb.ROLL_OUT},
    Role.MAINTAINER: {Verb.VIEW, Verb.RECORD_BUILD, Verb.ROLL_OUT, Verb.MANAGE, Verb.AUDIT, Verb.MANAGE_FLEET},
    Role.ADMINISTRATOR: set(Verb),
}
NEVER_OF_A_SERVICE = {Verb.MANAGE_FLEET, Verb.ADMINISTER}
REFUSED = {401, 403, 404}


@dataclass(frozen=True)
class Somebody:
    """A role for everything, and one for the service of one's own."""

    name: str
    role: Role
    own: Role = Role.NONE

    def may(self, verb: Verb, of: str | None) -> bool:
        return verb in MAY[self.role] or (of == "own" and verb in MAY[self.own] - NEVER_OF_A_SERVICE)


PEOPLE = [
    *(Somebody(f"all-{role.value}", role) for role in Role),
    *(Somebody(f"own-{role.value}", Role.NONE, role) for role in OF_SERVICE),
    Somebody("viewer-and-own-deployer", Role.VIEWER, Role.DEPLOYER),
]


@dataclass
class Town:
    """The application with two services, and everybody signed in to it."""

    app: Flask
    world: World
    file: Path
    args: dict[str, dict[str, Any]]  # of "own" and "foreign" things, for addresses
    tokens: dict[str, str]
    their_token_ids: dict[str, int]
    their_sign_in_ids: dict[str, int]
    visitors: dict[str, Visitor] = field(default_factory=dict)

    def as_it_was(self) -> None:
        """Undo what was done."""
        restore(self.file)

    def call(self, somebody: Somebody | None, rule: Rule, method: str, of: str | None) -> TestResponse:
        name = somebody.name if somebody else ""
        args = {**self.args[of or "own"], "token_id": self.their_token_ids.get(name, 1)}
        args["sign_in_id"] = self.their_sign_in_ids.get(name, 1)
        built = {one: args[one] for one in rule.arguments if one not in (rule.defaults or {})}
        with self.app.test_request_context():
            path = url_for(rule.endpoint, _method=method, **built, **(rule.defaults or {}))
        path, _, query = path.partition("?")  # the version of a static file
        asked = dict(parse_qsl(query))
        asked |= {"since": "0"} if path.endswith("/changes") else {}
        asked |= {"fingerprint": fingerprint(KEY)} if "/keys/" in path and method == "GET" else {}
        asked |= {"action": "upgrade"} if rule.endpoint == "rollouts.choose" else {}
        if path.startswith("/api/"):
            headers = {"Authorization": f"Bearer {self.tokens[name]}"} if somebody else {}
            return self.app.test_client().open(path, method=method, headers=headers, query_string=asked)
        visitor = self.visitors[name]
        return visitor.get(path, query_string=asked) if method == "GET" else visitor.post(path, query_string=asked)


def settled(app: Flask, world: World, file: Path) -> Town:
    recipe = queries.service(world.other).recipe
    service = catalog.add_service(NewService(FOREIGN, recipe, description=FOREIGN), ADMIN)
    build = Build(BuildStatus.SUCCESS, "http://127.0.0.1/a.tgz", "0" * 64)
    old, new = (catalog.add_version(service, NewVersion(f"{n}-{FOREIGN}", build), ADMIN) for n in (1, 2))
    host = fleet.add_host(NewHost(f"{FOREIGN}-1", "127.0.0.77", f"/srv/{FOREIGN}"), ADMIN)
    fleet.record_instance(service, NewInstance(host, old, 8000), ADMIN)
    host_keys.offer(host, KEY)
    host_keys.offer(world.hosts["web-1"], KEY)
    credential = credentials.add(credentials.NewCredential("a-file", CredentialKind.FILE, "/id"), ADMIN)
    everyone = HostChoice(everyone=True)
    versions = world.versions["1.1.0"], world.versions["1.2.0"]
    own = rollouts.start(StartRollout(world.service, versions[0], Action.UPGRADE, versions[1], everyone), ADMIN)
    foreign = rollouts.start(StartRollout(service, old, Action.UPGRADE, new, everyone), ADMIN)
    common = {"action": "upgrade", "kind": "undo", "credential_id": credential, "filename": "app.css", "version": 1}
    args = {
        "own": {"service_id": world.service, "version_id": versions[0], "host_id": world.hosts["web-1"]},
        "foreign": {"service_id": service, "version_id": old, "host_id": host},
    }
    for name, started in (("own", own), ("foreign", foreign)):
        step = db.session.execute(db.select(Step).where(Step.rollout_id == started.rollout_id).limit(1)).scalar_one()
        args[name] |= {"rollout_id": started.rollout_id, "step_id": step.id, "instance_id": step.instance_id, **common}
    town = Town(app, world, file, args, {}, {}, {})
    with mock.patch.object(passwords, "_hasher", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)):
        for one in PEOPLE:
            user_id = people.create_user(one.name, PASSWORD, one.role, "root")
            if one.own is not Role.NONE:
                db.session.add(ServiceRole(user_id=user_id, service_id=world.service, role=one.own))
                db.session.commit()
            for args_ in args.values():
                args_["user_id"] = db.session.execute(db.select(User.id).where(User.name == "vic")).scalar_one()
            town.tokens[one.name] = tokens.create_token(one.name, "all", Scope.MANAGE, "root")
            tokens.create_token(one.name, "spare", Scope.READ, "root")
            if one.role is Role.ADMINISTRATOR:
                for scope in Scope:
                    town.tokens[scope.value] = tokens.create_token(one.name, f"scope-{scope.value}", scope, "root")
            town.their_token_ids[one.name] = db.session.execute(
                db.select(Token.id).where(Token.user_id == user_id, Token.name == "spare")
            ).scalar_one()
            assert Visitor(app.test_client()).sign_in(one.name).status_code == 303
            db.session.rollback()  # what was read before it is not read on
            town.their_sign_in_ids[one.name] = db.session.execute(
                db.select(SignIn.id).where(SignIn.user_id == user_id)
            ).scalar_one()
            town.visitors[one.name] = Visitor(app.test_client())
            assert town.visitors[one.name].sign_in(one.name).status_code == 303
    town.visitors[""] = Visitor(app.test_client())
    town.visitors[""].read_token("/sign-in")
    db.session.commit()
    keep(file)
    return town


def routes(app: Flask) -> list[tuple[Rule, str, Permission]]:
    found = []
    for rule in app.url_map.iter_rules():
        stated = stated_of(app, rule.endpoint)
        for method in sorted((rule.methods or set()) & {"GET", "POST"}):
            if stated is not None:
                found.append((rule, method, stated))
    return found


def things(rule: Rule) -> list[str | None]:
    """Whose thing a route is about: one's own service or a foreign one; nobody's when it is of none."""
    return ["own", "foreign"] if {"service_id", "rollout_id"} & rule.arguments else [None]

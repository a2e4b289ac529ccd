"""What a page costs does not grow with what there is: never a query per row, and lists come in parts."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from flask import Flask
from sqlalchemy import Engine, event, insert

from deployer.domain.hosts import HostChoice
from deployer.domain.plan import StartRollout
from deployer.domain.status import Action, Evidence, InstanceStatus
from deployer.domain.strategy import Strategy, WaveSize
from deployer.extensions import db
from deployer.models import Host, HostKey, HostLabel, Instance, Version
from deployer.operations import catalog, rollouts
from deployer.operations.catalog import NewService
from deployer.queries import catalog as queries
from tests.standings import work
from tests.web.conftest import OpenPage, Visitor
from tests.world import ADMIN, World


@contextmanager
def statements() -> Iterator[list[str]]:
    """The statements that are executed meanwhile."""
    seen: list[str] = []

    def hear(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if not statement.startswith("BEGIN"):
            seen.append(statement)

    event.listen(Engine, "before_cursor_execute", hear)
    yield seen
    event.remove(Engine, "before_cursor_execute", hear)


def grow(world: World, number: int, first: int = 100) -> None:
    """Have so many hosts more, with labels and keys, on which the service runs the version 1.1.0."""
    names = [f"grown-{n:05}" for n in range(first, first + number)]
    db.session.execute(
        insert(Host), [{"hostname": name, "address": "127.0.0.1", "directory": f"/srv/{name}"} for name in names]
    )
    ids = list(db.session.execute(db.select(Host.id).where(Host.hostname.in_(names))).scalars())
    common = {"port": 8000, "status": InstanceStatus.RUNNING, "evidence": Evidence.RECORDED}
    where = {"service_id": world.service, "version_id": world.versions["1.1.0"]}
    db.session.execute(insert(Instance), [common | where | {"host_id": one} for one in ids])
    db.session.execute(insert(HostLabel), [{"host_id": one, "label": "grown"} for one in ids])
    db.session.execute(insert(HostKey), [{"host_id": one, "key": "ssh-x A", "fingerprint": "SHA256:x"} for one in ids])
    db.session.commit()


def more(world: World, number: int, first: int) -> int:
    """Grow everything that a page lists, and start a rollout on all of it, in waves; its id."""
    grow(world, number, first)
    recipe = queries.service(world.other).recipe
    for n in range(number):
        catalog.add_service(NewService(f"service-{first + n}", recipe), ADMIN)
    db.session.execute(
        insert(Version), [{"service_id": world.service, "label": f"9.{first + n}", "status": 2} for n in range(number)]
    )
    db.session.commit()
    source, target = world.versions["1.1.0"], world.versions["1.2.0"]
    command = StartRollout(
        world.service, source, Action.UPGRADE, target, HostChoice(True), strategy=Strategy(WaveSize(percent=50), 99)
    )
    rollout_id = rollouts.start(command, ADMIN).rollout_id
    work(rollout_id, False, True)
    return rollout_id


def pages(world: World, rollout_id: int) -> list[str]:
    service = f"/services/{world.service}"
    return [
        "/services",
        service,
        f"{service}?status=failed",
        f"{service}/instances?q=grown",
        f"{service}/versions",
        f"{service}/versions/{world.versions['1.0.0']}/upgrade",
        "/rollouts",
        f"/rollouts/{rollout_id}",
        f"/rollouts/{rollout_id}/undo",
        "/hosts",
        "/hosts?label=grown&q=g",
        f"/hosts/{world.hosts['web-1']}",
        "/services/changes?since=0",
        f"{service}/changes?since=0",
        "/rollouts/changes?since=0",
        f"/rollouts/{rollout_id}/changes?since=0",
        "/hosts/changes?since=0",
    ]


def test_no_page_costs_a_statement_per_row(visitor: Visitor, world: World) -> None:
    def costs(rollout_id: int) -> dict[str, int]:
        found = {}
        for path in pages(world, rollout_id):
            with statements() as seen:
                assert visitor.get(path).status_code == 200, path
            found[path.replace(f"rollouts/{rollout_id}", "rollouts/R")] = len(seen)
        return found

    few = more(world, 2, first=100)
    at_first = costs(few)
    rollouts.cancel(few, ADMIN)
    many = more(world, 40, first=200)
    assert costs(many) == at_first
    assert max(at_first.values()) <= 22


def test_an_idle_poll_costs_at_most_two_statements(visitor: Visitor, world: World) -> None:
    for path in ("/services", f"/services/{world.service}", "/rollouts"):
        standing = OpenPage(visitor, path)
        with statements() as seen:
            assert standing.poll() == {}
        assert len(seen) <= 2, seen  # who is asking, and the cursor


@pytest.fixture
def crowd(sqlite_app: Flask, sqlite_world: World) -> Callable[[int], Visitor]:
    """The world with so many hosts more, and somebody who looks at it."""

    def build(number: int) -> Visitor:
        grow(sqlite_world, number)
        found = Visitor(sqlite_app.test_client())
        found.sign_in()
        return found

    return build


def test_a_thousand_instances_come_in_parts_and_soon(crowd: Callable[[int], Visitor], sqlite_world: World) -> None:
    visitor = crowd(1_000)
    path = f"/services/{sqlite_world.service}"
    visitor.get(path)  # templates are compiled
    before = time.thread_time()
    page = visitor.get(path)
    assert time.thread_time() - before < 0.3  # 0.15 s on a quiet machine, which bench/pages.py measures
    assert page.text.count('<tr id="instance-') == 100
    assert "Page 1 of 11" in page.text
    assert "<dd>1004</dd>" in page.text


def test_ten_thousand_are_filtered_by_the_server(crowd: Callable[[int], Visitor], sqlite_world: World) -> None:
    visitor = crowd(10_000)
    path = f"/services/{sqlite_world.service}"
    last = visitor.get(path, query_string={"q": "grown-10099"})
    assert last.text.count('<tr id="instance-') == 1
    assert "<dd>10004</dd>" in last.text, "the counters are of all of them"
    page = visitor.get(path, query_string={"version_id": sqlite_world.versions["1.1.0"], "page": 101})
    assert page.text.count('<tr id="instance-') == 3
    assert f"version_id={sqlite_world.versions['1.1.0']}" in page.text, "the pager keeps the filter"
    nothing = visitor.get(path, query_string={"status": "failed"})
    assert "No instance matches the filter." in nothing.text


def test_very_many_changed_rows_come_as_one_list(crowd: Callable[[int], Visitor], sqlite_world: World) -> None:
    standing = OpenPage(crowd(120), f"/services/{sqlite_world.service}", page=1)
    source, target = sqlite_world.versions["1.1.0"], sqlite_world.versions["1.2.0"]
    rollouts.start(StartRollout(sqlite_world.service, source, Action.UPGRADE, target, HostChoice(True)), ADMIN)
    sent = standing.poll()
    assert set(sent) == {"worker", "service-facts", "instances"}
    assert sent["instances"].count('<tr id="instance-') == 100


@pytest.mark.parametrize("query", ["status=Failed", "status=1", "status=running&status=failed"])
def test_an_unknown_group_of_instances_is_refused(visitor: Visitor, world: World, query: str) -> None:
    assert visitor.get(f"/services/{world.service}?{query}").status_code == 422

"""Of many who put a host into the same directory of the same machine at once, one does."""

from __future__ import annotations

import threading
from collections.abc import Callable

from flask import Flask
from sqlalchemy import func, select

from deployer.domain.errors import Conflict
from deployer.domain.machine import NewHost
from deployer.domain.status import Reach
from deployer.extensions import db
from deployer.models import Host
from deployer.operations import hosts
from tests.world import ADMIN

MANY = 8


def at_once(app: Flask, act: Callable[[int], object]) -> list[Conflict]:
    """Call ``act`` with 0 to 7 in as many threads, all at once. Those that were refused, and why."""
    begin, refused = threading.Barrier(MANY), []

    def one(number: int) -> None:
        with app.app_context():
            begin.wait(10)
            try:
                act(number)
            except Conflict as problem:
                refused.append(problem)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(MANY)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return refused


def in_directory(number: int, directory: str) -> NewHost:
    return NewHost(f"twin-{number}", "127.0.0.1", directory, Reach.LOCAL)


def in_shared() -> int:
    query = select(func.count()).select_from(Host).where(Host.directory == "/srv/shared", Host.retired.is_(None))
    return db.session.execute(query).scalar_one()


def test_of_many_hosts_added_to_one_directory_at_once_one_is_there(app: Flask) -> None:
    refused = at_once(app, lambda number: hosts.add_host(in_directory(number, "/srv/shared"), ADMIN))
    assert in_shared() == 1
    assert {problem.field for problem in refused} == {"directory"}
    assert len(refused) == MANY - 1


def test_of_many_hosts_moved_to_one_directory_at_once_one_is_there(app: Flask) -> None:
    ids = [hosts.add_host(in_directory(number, f"/srv/{number}"), ADMIN) for number in range(MANY)]
    db.session.remove()
    refused = at_once(app, lambda number: hosts.change_host(ids[number], in_directory(number, "/srv/shared"), ADMIN))
    assert in_shared() == 1
    assert len(refused) == MANY - 1


def test_of_many_hosts_of_one_directory_brought_back_at_once_one_is_there(app: Flask) -> None:
    ids = []
    for number in range(MANY):
        ids.append(hosts.add_host(in_directory(number, "/srv/shared"), ADMIN))
        hosts.retire(ids[-1], ADMIN)
    db.session.remove()
    refused = at_once(app, lambda number: hosts.bring_back(ids[number], ADMIN))
    assert in_shared() == 1
    assert len(refused) == MANY - 1

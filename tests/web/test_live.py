"""What a page that stands open gets: only what is different, rendered once for all who look."""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flask import Flask, template_rendered
from sqlalchemy import update

from deployer.domain.access import Role
from deployer.domain.hosts import HostChoice
from deployer.domain.plan import StartRollout
from deployer.domain.status import Action, BuildStatus
from deployer.extensions import db
from deployer.models import User
from deployer.operations import catalog as catalog_operations
from deployer.operations import checks, fleet, hosts, people, rollouts, sign_ins
from deployer.operations.catalog import Build, NewService, NewVersion
from deployer.operations.checks import CheckEnd
from deployer.operations.fleet import NewInstance
from deployer.queries import catalog
from deployer.web.live import pace
from deployer.web.live.shared import Shared
from tests.standings import work
from tests.web.conftest import OpenPage, Visitor
from tests.world import ADMIN, PASSWORD, World


@contextmanager
def renders() -> Iterator[Counter[str]]:
    """How often each template is rendered meanwhile, without those that another one includes."""
    counted: Counter[str] = Counter()

    def count(_app: Flask, template: Any, **_: Any) -> None:
        counted[template.name] += 1

    with template_rendered.connected_to(count):
        yield counted


@contextmanager
def quantised(app: Flask) -> Iterator[None]:
    """As in production, but in moments so long that a test does not outlive one."""
    app.config["LIVE_SECONDS"] = 3600.0
    yield
    app.config["LIVE_SECONDS"] = 0.0


def roll_out(world: World, *names: str) -> int:
    """Start an upgrade of these hosts, or of the three that run 1.1.0; its id."""
    chosen = HostChoice(everyone=not names, ids=tuple(world.hosts[name] for name in names))
    source, target = world.versions["1.1.0"], world.versions["1.2.0"]
    return rollouts.start(StartRollout(world.service, source, Action.UPGRADE, target, chosen), ADMIN).rollout_id


def rows(sent: dict[str, str]) -> dict[str, str]:
    """The rows of instances among what was sent."""
    return {name: html for name, html in sent.items() if re.fullmatch(r"instance-\d+", name)}


def visitor_of(app: Flask, name: str, **headers: str) -> Visitor:
    client = app.test_client()
    client.environ_base.update({f"HTTP_{key.upper()}": value for key, value in headers.items()})
    found = Visitor(client)
    assert found.sign_in(name).status_code == 303
    return found


class TestService:
    """The page of a service."""

    @pytest.fixture
    def standing(self, visitor: Visitor, world: World) -> OpenPage:
        return OpenPage(visitor, f"/services/{world.service}", page=1)

    def test_nothing_new_is_204(self, standing: OpenPage) -> None:
        assert standing.poll() == {}

    def test_a_rollout_sends_its_rows_and_what_they_change(self, standing: OpenPage, world: World) -> None:
        roll_out(world)
        sent = standing.poll()
        assert len(rows(sent)) == 3
        assert set(sent) == {"worker", "service-facts", *rows(sent)}
        assert standing.poll() == {}

    def test_a_page_that_slept_gets_everything_it_missed_at_once(self, standing: OpenPage, world: World) -> None:
        rollout_id = roll_out(world)
        work(rollout_id, True)
        rollouts.cancel(rollout_id, ADMIN)
        assert len(rows(standing.poll())) == 3
        assert standing.poll() == {}

    def test_a_log_line_sends_nothing_that_is_not_seen(self, visitor: Visitor, world: World) -> None:
        rollout_id = roll_out(world)
        work(rollout_id, None)
        standing = OpenPage(visitor, f"/services/{world.service}")
        before = catalog.revision(world.service)
        work(rollout_id, None)
        assert catalog.revision(world.service) > before
        assert "service-actions" not in standing.poll()

    def test_a_new_version_sends_the_list_of_versions_alone(self, standing: OpenPage, world: World) -> None:
        catalog_operations.add_version(world.service, NewVersion("9.9.9", Build(BuildStatus.BUILDING)), ADMIN)
        sent = standing.poll()
        assert set(sent) == {"versions"}
        assert "9.9.9" in sent["versions"]

    def test_a_new_instance_sends_the_list_of_instances(self, standing: OpenPage, world: World) -> None:
        new = NewInstance(world.hosts["web-5"], world.versions["1.1.0"], 8000)
        fleet.record_instance(world.service, new, ADMIN)
        sent = standing.poll()
        version = f"version-{world.versions['1.1.0']}"
        assert set(sent) == {"service-facts", "instances", version}
        assert "on 4 hosts" in sent[version]
        assert "web-5" in sent["instances"]

    def test_the_filter_by_version_follows_what_runs(self, visitor: Visitor, world: World) -> None:
        new = world.versions["1.8.0"]
        standing = OpenPage(visitor, f"/services/{world.service}")
        assert f'<option value="{new}"' not in standing.html
        fleet.record_instance(world.service, NewInstance(world.hosts["web-5"], new, 8000), ADMIN)
        assert f'<option value="{new}">1.8.0</option>' in standing.poll()["instance-versions"]

    def test_a_row_that_leaves_the_filter_leaves_the_list(self, visitor: Visitor, world: World) -> None:
        path = f"/services/{world.service}"
        free = OpenPage(visitor, f"{path}?locked=0", locked=0)
        held = OpenPage(visitor, f"{path}?status=moving", status="moving")
        assert "web-1" in free.html
        roll_out(world)
        assert "web-1" not in free.poll()["instances"]
        assert "web-1" in held.poll()["instances"]
        assert "No instance matches" not in free.html

    def test_a_change_elsewhere_in_the_list_sends_no_row(self, visitor: Visitor, world: World) -> None:
        standing = OpenPage(visitor, f"/services/{world.service}?q=web-4", q="web-4")
        roll_out(world)
        assert set(standing.poll()) == {"worker", "service-facts"}

    def test_a_cursor_from_a_restored_database_gets_everything(self, visitor: Visitor, standing: OpenPage) -> None:
        answer = visitor.get(standing.address, query_string={"since": 10**9})
        for name in ("service-facts", "instances", "versions"):
            assert f'<hx-partial id="{name}"' in answer.text

    def test_marks_of_another_version_of_the_program_get_everything(self, standing: OpenPage, world: World) -> None:
        roll_out(world)
        assert {"instances", "versions", "service-actions"} <= set(standing.poll(shown="x" * 11))

    @pytest.mark.parametrize("since", ["", "-1", "x", "１", "01", "9" * 40])
    def test_a_strange_cursor_is_refused(self, visitor: Visitor, world: World, since: str) -> None:
        assert visitor.get(f"/services/{world.service}/changes?since={since}").status_code == 422

    def test_the_server_chooses_how_soon(self, standing: OpenPage, world: World) -> None:
        assert standing.every == 3000
        rollout_id = roll_out(world)
        standing.poll()
        assert standing.every == 500
        rollouts.cancel(rollout_id, ADMIN)
        standing.poll()
        assert standing.every == 3000


class TestLists:
    """The pages of all services, rollouts and hosts."""

    def test_the_services_that_changed_travel(self, visitor: Visitor, world: World) -> None:
        standing = OpenPage(visitor, "/services")
        assert standing.poll() == {}
        roll_out(world)
        sent = standing.poll()
        assert list(sent) == ["worker", f"service-{world.service}"]  # now somebody waits for one
        assert "3 waiting" in sent[f"service-{world.service}"]
        assert standing.every == 500
        catalog_operations.add_service(NewService("third", catalog.service(world.other).recipe), ADMIN)
        assert "third" in standing.poll()["services"]

    def test_the_rollouts_that_changed_travel(self, visitor: Visitor, world: World) -> None:
        empty = OpenPage(visitor, "/rollouts")
        first = roll_out(world, "web-1")
        assert f"#{first}<" in empty.poll()["rollouts"]
        roll_out(world, "web-2")
        standing = OpenPage(visitor, "/rollouts")
        work(first, None)
        assert list(standing.poll()) == [f"rollout-{first}"]
        assert standing.poll() == {}

    def test_the_hosts_that_changed_travel(self, visitor: Visitor, world: World) -> None:
        standing = OpenPage(visitor, "/hosts?q=web-", q="web-")
        host_id = world.hosts["web-2"]
        checks.ask(host_id, ADMIN)
        assert "Testing…" in standing.poll()[f"host-{host_id}"]
        assert standing.every == 500
        (check,) = checks.waiting_checks()
        checks.settle_check(check, CheckEnd(None, "refused", "Nobody listens there."))
        assert "Problem" in standing.poll()[f"host-{host_id}"]
        assert standing.poll() == {}
        hosts.retire(hosts.add_host(fleet.NewHost("web-9", "127.0.0.9", "/srv/web-9"), ADMIN), ADMIN)
        assert standing.poll() == {}

    def test_the_page_of_a_host_gets_the_regions_that_differ(self, visitor: Visitor, world: World) -> None:
        standing = OpenPage(visitor, f"/hosts/{world.hosts['web-1']}")
        roll_out(world, "web-1")
        assert list(standing.poll()) == ["host-instances"]
        assert standing.every == 500
        assert standing.poll() == {}


class TestSharing:
    """What is common to viewers is made once; what is a viewer's own never reaches another one."""

    @pytest.fixture
    def watch(self, app: Flask, world: World) -> Callable[..., OpenPage]:
        people.create_user("eve", PASSWORD, Role.ADMINISTRATOR, "root")

        def open_page(name: str, path: str = f"/services/{world.service}", **headers: str) -> OpenPage:
            return OpenPage(visitor_of(app, name, **headers), path, page=1)

        return open_page

    def test_a_change_is_rendered_once_for_all_viewers(self, watch: Callable[..., OpenPage], world: World) -> None:
        standing = [watch(name) for name in ("ann", "eve", "ann", "eve")]
        roll_out(world)
        with renders() as counted:
            sent = [page.poll() for page in standing]
        assert all(sent)
        assert counted["services/_instance.html"] == 3
        assert counted["services/_facts.html"] == 1
        assert counted["shared/_changes.html"] == 1

    def test_a_row_is_rendered_once_whatever_else_one_has_seen(
        self, watch: Callable[..., OpenPage], world: World
    ) -> None:
        early = watch("ann")
        roll_out(world, "web-1")
        late = watch("eve")
        roll_out(world, "web-2")
        with renders() as counted:
            assert len(rows(early.poll())) == 2
            assert len(rows(late.poll())) == 1
        assert counted["services/_instance.html"] == 2

    def test_each_viewer_gets_the_token_of_their_own_session(
        self, watch: Callable[..., OpenPage], world: World
    ) -> None:
        standing = [watch(name) for name in ("ann", "eve")]
        rollout_id = roll_out(world)
        rollouts.cancel(rollout_id, ADMIN)
        for page in standing:
            form = r'action="([^"]+/probe)".*?name="csrf_token" value="([^"]+)"'
            found = re.search(form, "".join(rows(page.poll()).values()), re.DOTALL)
            assert found
            path, page.visitor.token = found.groups()
            assert page.visitor.post(path).status_code == 303, "the token is good in the viewer's own session"

    def test_who_may_less_is_offered_less(self, watch: Callable[..., OpenPage], world: World) -> None:
        admin, viewer = watch("ann"), watch("vic")
        rollout_id = roll_out(world)
        rollouts.cancel(rollout_id, ADMIN)
        sent, offered = viewer.poll(), admin.poll()
        assert any("Ask the host" in html for html in offered.values())
        assert not any("Ask the host" in html for html in sent.values())
        assert not any("csrf_token" in html for html in sent.values())

    def test_everyone_reads_their_own_language(self, watch: Callable[..., OpenPage], world: World) -> None:
        english, chinese = watch("ann"), watch("ann", accept_language="zh")
        roll_out(world)
        assert "3 waiting" in english.poll()["service-facts"]
        assert "3 waiting" not in chinese.poll()["service-facts"]

    def test_a_process_reads_its_cursor_once_a_moment(
        self, app: Flask, watch: Callable[..., OpenPage], world: World
    ) -> None:
        standing = [watch(name) for name in ("ann", "eve")]
        with quantised(app):
            assert standing[0].poll() == {}
            roll_out(world)
            assert standing[1].poll() == {}, "the moment is not over"
            assert standing[1].poll(fresh=1), "who has done something sees it"
            assert standing[0].poll(), "and what was read for one is there for all"

    def test_a_page_that_is_newer_than_the_moment_is_not_sent_back(
        self, app: Flask, watch: Callable[..., OpenPage], world: World
    ) -> None:
        early = watch("ann")
        with quantised(app):
            assert early.poll() == {}
            roll_out(world)
            assert watch("eve").poll() == {}

    def test_what_is_kept_is_not_older_than_its_cursor(
        self, app: Flask, watch: Callable[..., OpenPage], world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        early = watch("ann")
        real, slow = sign_ins.by_secret, threading.Event()

        def meanwhile() -> None:
            with app.app_context():
                roll_out(world)
                assert watch("eve").poll() == {}, "now this process knows the cursor"

        def look_up(secret: str, address: str | None) -> sign_ins.SignedIn | None:
            found = real(secret, address)  # the transaction has begun
            if not slow.is_set():
                slow.set()
                thread = threading.Thread(target=meanwhile)
                thread.start()
                thread.join()
            return found

        with quantised(app):
            monkeypatch.setattr(sign_ins, "by_secret", look_up)
            assert len(rows(early.poll())) == 3

    def test_who_is_shut_out_gets_no_page_at_once_and_no_change_soon(
        self, app: Flask, watch: Callable[..., OpenPage], world: World
    ) -> None:
        standing = watch("eve")
        with quantised(app):
            assert standing.poll() == {}
            db.session.execute(update(User).where(User.name == "eve").values(active=False))
            db.session.commit()
            assert standing.visitor.get("/services").status_code == 302
            assert standing.poll() == {}
        address = f"{standing.address}?since=0"
        assert standing.visitor.get(address, headers={"HX-Request": "true"}).status_code == 401

    def test_a_thing_that_fails_is_tried_again(self, app: Flask, world: World) -> None:
        store = app.extensions["live"].views
        with pytest.raises(ZeroDivisionError):
            store.get("x", lambda: 1 // 0)
        assert store.get("x", lambda: 1) == 1
        assert len(store) == 1


def test_what_is_asked_for_by_many_at_once_is_made_once() -> None:
    made = []
    store: Shared[int] = Shared(10)
    everybody = threading.Barrier(8)

    def make() -> int:
        made.append(1)
        everybody_waits.wait(10)
        return 7

    everybody_waits = threading.Event()
    got: list[int] = []

    def ask() -> None:
        everybody.wait(10)
        got.append(store.get("key", make))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    while not made:
        pass
    everybody_waits.set()
    for thread in threads:
        thread.join()
    assert (got, made) == ([7] * 8, [1])


def test_what_was_not_asked_for_longest_goes_first() -> None:
    store: Shared[str] = Shared(10, len)
    for key in "ab":
        store.get(key, lambda: "12345")
    store.get("a", lambda: "never made")
    store.get("c", lambda: "123")
    assert store.get("a", lambda: "made anew") == "12345"
    assert store.get("b", lambda: "made anew") == "made anew"
    store.get("d", lambda: "longer than all that is kept")
    assert len(store) == 0


def test_pages_come_less_often_when_very_many_look(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(pace.time, "monotonic", lambda: now)
    seen = pace.Pace()

    def interval_with(viewers: int) -> float:
        nonlocal now
        for _ in range(60):
            seconds = float(seen.interval(moving=True)[:-2]) / 1000
            for _poll in range(int(viewers / seconds)):
                now += seconds / viewers
                seen.count()
        return seconds

    assert interval_with(50) == 0.5
    assert interval_with(100) == 0.5
    assert 1.8 <= interval_with(500) <= 2.2
    assert interval_with(50) == 0.5

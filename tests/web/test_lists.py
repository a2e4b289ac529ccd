"""Pages of lists: beyond the end is the last one, and a filter that cannot be read is refused, not ignored."""

from __future__ import annotations

import pytest

from deployer.operations import steps
from tests.web.conftest import Visitor
from tests.world import World


def start(visitor: Visitor, world: World, host: str = "web-1") -> str:
    """Start a rollout on the host; the path of its page."""
    data = {"dest_version": world.versions["1.2.0"], "host": world.hosts[host]}
    answer = visitor.start(world.url(), data)
    assert answer.status_code == 303
    return answer.location


def test_a_page_beyond_the_end_is_the_last_one(visitor: Visitor, world: World) -> None:
    rollout = start(visitor, world)
    service = f"/services/{world.service}"
    shown = {
        "/services": "orders",
        "/hosts": "web-5",
        "/rollouts": "#1",
        f"{service}/versions": "1.8.0",
        service: "web-3",
        f"{service}/instances": "web-3",
        f"{service}/changes": "web-3",
        rollout: "web-1",
    }
    for path, words in shown.items():
        answer = visitor.get(path, query_string={"page": "99999", "since": "0"})
        assert answer.status_code == 200, path
        assert words in answer.text, path
        assert "Nothing has been rolled out" not in answer.text, path
        assert 'page=99999"' not in answer.text, path


@pytest.mark.parametrize("query", ["locked=banana", "locked=2", "locked=0&locked=1", "q=a&q=b", "q=%00"])
def test_a_filter_that_cannot_be_read_is_refused(shared_visitor: Visitor, shared_world: World, query: str) -> None:
    service = f"/services/{shared_world.service}"
    for path in (service, f"{service}/instances", shared_world.url(), f"{service}/rollout"):
        found = shared_visitor.get(f"{path}?{query}&action=upgrade")
        assert found.status_code == 422, path
    pairs = [(name, value) for name, _, value in (part.partition("=") for part in query.split("&"))]
    pairs = [(name, value.replace("%00", "\x00")) for name, value in pairs]
    assert shared_visitor.post(shared_world.url() + "/hosts", pairs).status_code == 422


@pytest.mark.parametrize(("flag", "free"), [("", True), ("0", True), ("1", False)])
def test_the_dialog_filters_by_lock_as_the_service_page_does(
    visitor: Visitor, world: World, flag: str, free: bool
) -> None:
    start(visitor, world)
    for text in (
        visitor.get(world.url(), query_string={"locked": flag}).text,
        visitor.post(world.url() + "/hosts", {"locked": flag}).text,
    ):
        assert ("web-2</span>" in text) is free
        assert ("web-1</span>" in text) is (flag != "0")


def test_services_are_found_by_how_they_stand(visitor: Visitor, world: World) -> None:
    assert "Nothing needs a look." in visitor.get("/services?state=attention").text
    assert "Nothing is moving." in visitor.get("/services?state=moving&q=ord").text
    rollout = int(start(visitor, world).rpartition("/")[2])
    page = visitor.get("/services?state=moving").text
    assert "orders" in page
    assert ">other</a>" not in page
    assert "ann upgrades to 1.2.0" in page
    (taken,) = steps.take_steps(rollout, "a worker", 1)
    steps.settle_step(taken, steps.Settlement(ok=False, running=None, error="Restart failed: x."))
    page = visitor.get("/services?state=attention").text
    assert "1 failed" in page
    assert "1 unverified" in page
    assert ">other</a>" not in page
    assert visitor.get("/services?state=well").status_code == 422


@pytest.mark.parametrize("path", ["/services", "/rollouts"])
def test_a_list_on_which_something_waits_says_when_no_worker_is_alive(
    visitor: Visitor, world: World, path: str
) -> None:
    words = "No worker is alive"
    assert words not in visitor.get(path).text
    start(visitor, world)
    assert words in visitor.get(path).text

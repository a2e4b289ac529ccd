"""A version that cannot be reverted past: who marks it, and who is warned. And what lies between two versions."""

from __future__ import annotations

import pytest
from werkzeug.test import TestResponse

from deployer.domain.hosts import HostChoice
from deployer.domain.plan import StartRollout
from deployer.domain.status import Action
from deployer.operations import catalog as operations
from deployer.operations import rollouts, steps
from deployer.queries import catalog
from tests.standings import work
from tests.web.conftest import PLAN, Visitor
from tests.world import ADMIN, World, snapshot

WHY = "It drops the column that 1.0.0 reads."
WARNING = "1.1.0 cannot be reverted past."


@pytest.fixture
def marked(visitor: Visitor, world: World) -> World:
    """1.1.0 is marked, on its page."""
    path = f"/services/{world.service}/versions/{world.versions['1.1.0']}"
    assert visitor.post(path + "/mark", {"irreversible": WHY}).status_code == 303
    return world


def test_it_is_marked_and_unmarked_on_its_page(visitor: Visitor, marked: World) -> None:
    page = f"/services/{marked.service}"
    path = f"{page}/versions/{marked.versions['1.1.0']}"
    assert visitor.get(page).text.count("no way back") == 1
    assert WHY in visitor.get(path + "/build").text
    assert visitor.post(path + "/mark", {"irreversible": "x" * 201}).status_code == 422
    assert catalog.version(marked.service, marked.versions["1.1.0"]).irreversible == WHY
    visitor.post(path + "/mark", {"irreversible": ""})
    assert "no way back" not in visitor.get(page).text


def test_a_revert_past_it_is_warned_of_and_not_refused(visitor: Visitor, marked: World) -> None:
    data = {"dest_version": marked.versions["1.0.0"], "host": marked.hosts["web-1"]}
    path = marked.url(action="revert")
    text, token = visitor.look(path, data)
    assert WARNING in text
    assert WHY in text
    assert token
    assert WARNING in visitor.get(path).text
    assert visitor.start(path, {**data, "crosses": marked.versions["1.1.0"]}).status_code == 303


def test_an_upgrade_to_it_or_past_it_is_no_matter(visitor: Visitor, marked: World) -> None:
    assert WARNING not in visitor.get(marked.url(action="upgrade")).text
    assert WARNING not in visitor.get(marked.url("1.0.0", action="upgrade")).text


def test_the_plan_on_the_wire_says_so_too(visitor: Visitor, marked: World) -> None:
    data = {"dest_version": marked.versions["1.0.0"], "host": "all"}
    answer = visitor.client.post("/api/v1" + marked.url(action="revert") + "/plan", data=data, headers=marked.bearer())
    assert answer.json["data"]["crosses"] == [{"version": "1.1.0", "why": WHY}]
    answer = visitor.client.post(
        f"/api/v1/services/{marked.service}/versions/{marked.versions['1.1.0']}/mark", data={}, headers=marked.bearer()
    )
    assert answer.json["data"]["irreversible"] == ""


def test_an_undo_past_it_is_warned_of(visitor: Visitor, world: World) -> None:
    versions = world.versions
    command = StartRollout(
        world.service, versions["1.1.0"], Action.UPGRADE, versions["1.2.0"], HostChoice(everyone=False, ids=(1,))
    )
    started = rollouts.start(command, ADMIN).rollout_id
    (taken,) = steps.take_steps(started, "a worker", 1)
    steps.settle_step(taken, steps.Settlement(ok=True, running="1.2.0", error=""))
    assert "cannot be reverted past" not in visitor.get(f"/rollouts/{started}/undo").text
    operations.mark_version(world.service, versions["1.2.0"], WHY, ADMIN)
    assert "1.2.0 cannot be reverted past." in visitor.get(f"/rollouts/{started}/undo").text


def test_the_dialog_lists_what_comes_and_links_the_comparison(visitor: Visitor, world: World) -> None:
    form = {
        "name": "orders",
        "restart": "true",
        "compare_url": "https://git.example.org/orders/compare/{from}...{to}",
    }
    assert visitor.post(f"/services/{world.service}/edit", form).status_code == 303
    for action, source in (("upgrade", "1.1.0"), ("revert", "1.8.0")):
        text = visitor.look(world.url(source, action), {"dest_version": world.versions["1.2.0"]})[0]
        assert f"{'1.1.0...1.2.0' if action == 'upgrade' else '1.2.0...1.8.0'}" in text
    assert "What 1.2.0 brings" in visitor.look(world.url(), {"dest_version": world.versions["1.2.0"]})[0]


@pytest.mark.parametrize("url", ["https://x/{from}", "https://x/{to}{to}{from}", "ftp://x/{from}{to}", "{from}{to}"])
def test_an_address_that_cannot_compare_is_refused(visitor: Visitor, world: World, url: str) -> None:
    form = {"name": "orders", "restart": "true", "compare_url": url}
    assert visitor.post(f"/services/{world.service}/edit", form).status_code == 422


TICK = 'name="crosses" value="{}" required'


def send(visitor: Visitor, marked: World, **more: object) -> TestResponse:
    """Revert web-1 from 1.1.0 to 1.0.0, as the dialog does."""
    data = {"dest_version": marked.versions["1.0.0"], "host": marked.hosts["web-1"], **more}
    return visitor.start(marked.url(action="revert"), data)


def test_a_person_has_to_tick_that_they_know(visitor: Visitor, marked: World) -> None:
    before = snapshot()
    for more in ({}, {"crosses": ""}, {"crosses": marked.versions["1.2.0"]}):
        answer = send(visitor, marked, **more)
        assert answer.status_code == 422
        assert "The way goes back past 1.1.0, which cannot be reverted past." in answer.text
        assert 'id="crosses-error"' in answer.text
        assert TICK.format(marked.versions["1.1.0"]) in answer.text
    assert send(visitor, marked, crosses="x").status_code == 422
    assert snapshot() == before
    assert send(visitor, marked, crosses=marked.versions["1.1.0"]).status_code == 303


def test_the_tick_stays_while_the_way_is_the_same(visitor: Visitor, marked: World) -> None:
    data = {"dest_version": marked.versions["1.0.0"], "host": marked.hosts["web-1"]}
    known = marked.versions["1.1.0"]
    path = marked.url(action="revert")
    assert TICK.format(known) + ">" in visitor.look(path, data)[0]
    assert TICK.format(known) + " checked>" in visitor.look(path, {**data, "crosses": known})[0]
    assert TICK.format(known) + ">" in visitor.look(path, {**data, "crosses": f"{known},9"})[0]


def test_a_version_that_was_marked_meanwhile_has_to_be_known_too(visitor: Visitor, world: World) -> None:
    path = world.url("1.8.0", action="revert")
    for_web_4 = {"dest_version": world.versions["1.8.0"], "host": world.hosts["web-4"]}
    work(int(visitor.start(world.url("1.0.0"), for_web_4).location.rpartition("/")[2]), True)
    data = {"dest_version": world.versions["1.0.0"], "host": world.hosts["web-4"]}
    for label in ("1.1.0", "1.2.0"):
        token = visitor.look(path, data)[1]
        operations.mark_version(world.service, world.versions[label], WHY, ADMIN)
        answer = visitor.post(
            path, {**data, "plan": token, "crosses": world.versions["1.1.0"] if label == "1.2.0" else ""}
        )
        assert f"The way goes back past {label}" in answer.text
        assert answer.status_code == 422


def test_a_program_is_told_by_the_plan_and_not_asked(visitor: Visitor, marked: World) -> None:
    path = "/api/v1" + marked.url(action="revert")
    data = {"dest_version": marked.versions["1.0.0"], "host": marked.hosts["web-1"]}
    answer = visitor.client.post(path, data={**data, "crosses": "2"}, headers=marked.bearer())
    assert answer.status_code == 417
    assert visitor.client.post(path, data=data, headers=marked.bearer()).status_code == 202


def test_what_was_crossed_is_told_afterwards_whatever_becomes_of_the_mark(visitor: Visitor, marked: World) -> None:
    page = send(visitor, marked, crosses=marked.versions["1.1.0"]).location
    operations.mark_version(marked.service, marked.versions["1.1.0"], "", ADMIN)
    assert "Went back past" in visitor.get(page).text
    assert ">past 1.1.0</span>" in visitor.get("/rollouts").text
    assert "Past 1.1.0, which cannot be reverted past" in visitor.get("/audit").text
    visitor.start(marked.url(), {"dest_version": marked.versions["1.2.0"], "host": marked.hosts["web-2"]})
    assert visitor.get("/rollouts").text.count(">past ") == 1


@pytest.mark.parametrize("ends", [True, None], ids=["ended", "under way"])
def test_an_undo_past_it_needs_the_tick_too(visitor: Visitor, world: World, ends: bool | None) -> None:
    versions = world.versions
    command = StartRollout(
        world.service, versions["1.1.0"], Action.UPGRADE, versions["1.2.0"], HostChoice(everyone=False, ids=(1,))
    )
    started = rollouts.start(command, ADMIN).rollout_id
    work(started, ends)
    operations.mark_version(world.service, versions["1.2.0"], WHY, ADMIN)
    path = f"/rollouts/{started}/undo"
    page = visitor.get(path).text
    assert TICK.format(versions["1.2.0"]) in page
    data = {"host": "all", **({"plan": PLAN.findall(page)[0]} if ends else {})}
    refused = visitor.post(path, data)
    assert refused.status_code == 422
    assert "The way goes back past 1.2.0" in refused.text
    assert visitor.post(path, {**data, "crosses": versions["1.2.0"]}).status_code == 303

"""A version that cannot be reverted past: who marks it, and who is warned. And what lies between two versions."""

from __future__ import annotations

import pytest

from deployer.domain.hosts import HostChoice
from deployer.domain.plan import StartRollout
from deployer.domain.status import Action
from deployer.operations import catalog as operations
from deployer.operations import rollouts, steps
from deployer.queries import catalog
from tests.web.conftest import Visitor
from tests.world import ADMIN, World

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
    assert visitor.start(path, data).status_code == 303


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

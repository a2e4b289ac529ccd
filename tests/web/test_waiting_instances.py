"""An instance that a rollout holds and on which nothing happens yet says so, and is not counted as moving."""

from __future__ import annotations

import re
from html import unescape

import pytest

from deployer.domain.hosts import HostChoice
from deployer.domain.plan import StartRollout
from deployer.domain.status import Action
from deployer.domain.strategy import Strategy, WaveSize
from deployer.operations import rollouts
from tests.standings import work
from tests.web.conftest import OpenPage, Visitor
from tests.world import ADMIN, World

QUEUED = "Queued to upgrade · wave 2 of 3"


@pytest.fixture
def in_waves(world: World) -> int:
    """An upgrade of web-1, web-2 and web-3, one after the other; the first is being worked on."""
    source, target = world.versions["1.1.0"], world.versions["1.2.0"]
    command = StartRollout(
        world.service, source, Action.UPGRADE, target, HostChoice(True), strategy=Strategy(WaveSize(hosts=1))
    )
    rollout_id = rollouts.start(command, ADMIN).rollout_id
    work(rollout_id, None)
    return rollout_id


def states(html: str) -> dict[str, tuple[str, str]]:
    """Shape and words of each instance's state, by host, in the rows of a page or of an answer to a poll."""
    found = re.findall(r'class="mono">(web-\d)</th>\s*<td><span class="st st-(\w+)">(.*?)</span>', html)
    return {host: (shape, unescape(words)) for host, shape, words in found}


def test_it_says_in_which_wave_it_waits(visitor: Visitor, world: World, in_waves: int) -> None:
    page = visitor.get(f"/services/{world.service}").text
    assert states(page) == {
        "web-1": ("busy", "Upgrading"),
        "web-2": ("queued", QUEUED),
        "web-3": ("queued", "Queued to upgrade · wave 3 of 3"),
        "web-4": ("ok", "Running"),
    }
    assert QUEUED in visitor.get(f"/hosts/{world.hosts['web-2']}").text
    assert "root is going to upgrade this host to 1.2.0" in page
    assert "root is upgrading this host to 1.2.0" in page


def test_it_counts_as_waiting_and_not_as_moving(visitor: Visitor, world: World, in_waves: int) -> None:
    for path in ("/services", f"/services/{world.service}"):
        page = visitor.get(path).text
        assert ">1 moving</a>" in page, path
        assert ">2 waiting</a>" in page, path
    assert "<title>orders · 1 moving · 2 waiting" in page


def test_of_a_single_wave_it_only_says_that_it_is_queued(visitor: Visitor, world: World) -> None:
    target = world.versions["1.0.0"]
    command = StartRollout(world.service, world.versions["1.1.0"], Action.REVERT, target, HostChoice(True))
    rollouts.start(command, ADMIN)
    assert states(visitor.get(f"/services/{world.service}").text)["web-1"] == ("queued", "Queued to revert")


def test_its_row_changes_when_its_step_starts(visitor: Visitor, world: World, in_waves: int) -> None:
    rollouts.cancel(in_waves, ADMIN)
    standing = OpenPage(visitor, f"/services/{world.other}")
    source = world.other_version
    assert standing.poll() == {}
    target = visitor.client.post(
        f"/api/v1/services/{world.other}/versions",
        data={"version": "2", "status": "success", "artifact_url": "http://127.0.0.1/a", "sha256": "0" * 64},
        headers=world.bearer(),
    ).json["data"]["id"]
    started = rollouts.start(StartRollout(world.other, source, Action.UPGRADE, target, HostChoice(True)), ADMIN)
    assert states("".join(standing.poll().values()))["web-5"] == ("queued", "Queued to upgrade")
    work(started.rollout_id, None)
    assert states("".join(standing.poll().values()))["web-5"] == ("busy", "Upgrading")
    assert standing.poll() == {}


def test_an_open_page_hears_that_its_rollout_is_paused_and_goes_on(
    visitor: Visitor, world: World, in_waves: int
) -> None:
    standing = OpenPage(visitor, f"/services/{world.service}")
    rollouts.pause(in_waves, ADMIN)
    seen = states("".join(standing.poll().values()))
    assert seen["web-1"] == ("busy", "Upgrading")
    assert seen["web-2"] == ("held", "Paused before upgrade · wave 2 of 3")
    rollouts.resume(in_waves, HostChoice(everyone=True), ADMIN)
    assert states("".join(standing.poll().values()))["web-2"] == ("queued", QUEUED)
    assert standing.poll() == {}


def test_the_dialog_says_what_is_going_to_happen_to_it(visitor: Visitor, world: World, in_waves: int) -> None:
    assert "root is going to upgrade this host to 1.2.0" in visitor.get(world.url()).text


def test_on_the_wire_it_is_upgrading(visitor: Visitor, world: World, in_waves: int) -> None:
    answer = visitor.client.get(f"/api/v1/services/{world.service}/instances", headers=world.bearer())
    assert {one["status_str"] for one in answer.json["data"] if one["locked"]} == {"upgrading"}
    assert visitor.get(f"/services/{world.service}?status=moving").text.count('<tr id="instance-') == 3

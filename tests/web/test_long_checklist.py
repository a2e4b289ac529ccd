"""Where more hosts run a version than the dialog lists, it says so at the box and on the button, and offers all."""

from __future__ import annotations

import pytest

from deployer.web import choosing
from tests.web.conftest import Visitor
from tests.world import World

ALL = 'name="host" value="all"'


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the three hosts two are listed."""
    monkeypatch.setattr(choosing, "LISTED", 2)


def test_the_box_says_that_it_is_for_the_listed_ones(visitor: Visitor, world: World) -> None:
    page = visitor.get(world.url()).text
    assert "Select the free hosts of the first 2 of 3" in page
    assert "0 of 3 selected" in page
    assert "All 3 hosts on 1.1.0" in page


def test_the_button_says_of_how_many(visitor: Visitor, world: World) -> None:
    data = [("dest_version", world.versions["1.2.0"]), *(("host_id", world.hosts[name]) for name in ("web-1", "web-2"))]
    page = visitor.post(world.url(), data).text
    assert ">Upgrade 2 of 3 hosts to 1.2.0</button>" in page
    page = visitor.post(world.url(), {"dest_version": world.versions["1.2.0"], "host": "all"}).text
    assert ">Upgrade 3 hosts to 1.2.0</button>" in page
    assert "3 of 3 selected" in page


def test_all_of_them_are_not_offered_while_one_is_locked(visitor: Visitor, world: World) -> None:
    visitor.start(world.url(), {"dest_version": world.versions["1.2.0"], "host": world.hosts["web-3"]})
    page = visitor.get(world.url()).text
    assert ALL not in page
    assert "Not all 3 hosts at once: some of them are locked" in page


def test_nor_when_they_are_too_many_for_one_rollout(
    visitor: Visitor, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choosing, "MAX_HOSTS", 2)
    page = visitor.get(world.url()).text
    assert ALL not in page
    assert "Not all 3 hosts at once: these are too many for one rollout" in page


def test_a_list_that_is_whole_speaks_of_itself_alone(visitor: Visitor, world: World) -> None:
    page = visitor.get(world.url("1.0.0")).text
    assert "Select all free hosts in this list" in page
    assert "data-part" not in page

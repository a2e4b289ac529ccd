"""Instances are found by the labels of their hosts, on the page of a service and in the dialog."""

from __future__ import annotations

import re

import pytest

from deployer.extensions import db
from deployer.models import HostLabel
from tests.web.conftest import OpenPage, Visitor
from tests.world import World

LABELS = {"web-1": ("eu", "canary"), "web-2": ("eu",), "web-4": ("us",), "web-5": ("elsewhere",)}


@pytest.fixture
def labelled(world: World) -> World:
    """The hosts have labels."""
    for name, labels in LABELS.items():
        db.session.add_all(HostLabel(host_id=world.hosts[name], label=label) for label in labels)
    db.session.commit()
    return world


@pytest.mark.parametrize(
    ("label", "found"),
    [("eu", {"web-1", "web-2"}), ("eu,canary", {"web-1"}), ("us", {"web-4"}), ("none", set()), ("", set(LABELS))],
)
def test_all_of_the_labels_must_be_there(visitor: Visitor, labelled: World, label: str, found: set[str]) -> None:
    there = found - {"web-5"}
    for path in (f"/services/{labelled.service}", f"/services/{labelled.service}/instances"):
        page = visitor.get(path, query_string={"label": label}).text
        assert {name for name in LABELS if f'class="mono">{name}</th>' in page} == there
    on_source = there - {"web-4"}
    for page in (
        visitor.get(labelled.url(), query_string={"label": label}).text,
        visitor.post(labelled.url() + "/hosts", {"label": label}).text,
    ):
        assert {name for name in LABELS if f"{name}</span>" in page} == on_source


def test_the_labels_of_its_hosts_are_offered_and_the_chosen_one_is_shown(visitor: Visitor, labelled: World) -> None:
    for path in (f"/services/{labelled.service}", labelled.url()):
        page = visitor.get(path, query_string={"label": "eu"}).text
        assert "<option selected>eu</option>" in page
        assert "<option>canary</option>" in page
        assert "elsewhere" not in page
        assert "<option selected>canary,eu</option>" in visitor.get(path, query_string={"label": "eu,canary"}).text
    assert "Any label" not in visitor.get("/services/999").text


def test_where_no_host_has_a_label_none_is_offered(visitor: Visitor, world: World) -> None:
    for path in (f"/services/{world.service}", world.url()):
        assert "Any label" not in visitor.get(path).text


def test_an_open_page_stays_with_its_label(visitor: Visitor, labelled: World) -> None:
    standing = OpenPage(visitor, f"/services/{labelled.service}?label=us", label="us")
    assert standing.poll() == {}
    data = {"dest_version": labelled.versions["1.2.0"], "host": labelled.hosts["web-1"]}
    visitor.start(labelled.url(), data)
    assert not [name for name in standing.poll() if re.fullmatch(r"instance-\d+", name)]


def test_it_stays_chosen_when_the_dialog_looks_for_another_version(visitor: Visitor, labelled: World) -> None:
    answer = visitor.get(f"/services/{labelled.service}/rollout", query_string={"action": "upgrade", "label": "eu"})
    assert answer.location.endswith("label=eu")


def test_what_cannot_be_a_label_is_refused(visitor: Visitor, labelled: World) -> None:
    for path in (f"/services/{labelled.service}", labelled.url()):
        assert visitor.get(path, query_string={"label": "<b>"}).status_code == 422

"""The history: one line per rollout that reads aloud, found by what one remembers of it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest
from sqlalchemy import select

from deployer.domain.hosts import HostChoice
from deployer.domain.status import Origin
from deployer.extensions import db
from deployer.models import Step
from deployer.operations import rollouts
from deployer.queries import history
from deployer.queries.paging import Slice
from tests.standings import MAKERS, work
from tests.web.conftest import Visitor
from tests.world import ADMIN, World

STATES = ("succeeded", "failed", "cancelled", "gate")


@pytest.fixture(scope="module")
def past(shared_world: World) -> dict[str, int]:
    """A rollout for each way to end, and one that has not."""
    return {state: MAKERS[state](shared_world) for state in STATES}


def told(visitor: Visitor, **query: object) -> dict[int, str]:
    """What the page says of each rollout, by id."""
    page = visitor.get("/rollouts", query_string={name: str(value) for name, value in query.items()}).text
    lines = re.findall(r'">#(\d+)</a></th>\s*<td class="told">(.*?)</td>', page, re.DOTALL)
    return {int(id_): " ".join(unescape(re.sub(r"<[^>]+>", "", text)).split()) for id_, text in lines}


def test_each_line_says_who_did_what_from_where_to_where_on_which_hosts(
    shared_visitor: Visitor, past: dict[str, int], shared_world: World
) -> None:
    lines = told(shared_visitor)
    page = history.history(Slice(), history.RolloutFilter())
    for one in page.rows:
        for part in (one.rollout.created_by, one.rollout.service, *one.hosts):
            assert part in lines[one.rollout.id]
    words = ("upgraded", "tried to upgrade", "began to upgrade", "is upgrading")
    for state, word in zip(STATES, words, strict=True):
        assert f" {word} " in lines[past[state]], state


@pytest.mark.parametrize(
    ("ending", "states"),
    [("moving", ["gate"]), ("succeeded", ["succeeded"]), ("failed", ["failed"]), ("cancelled", ["cancelled"])],
)
def test_it_is_filtered_by_how_it_ended(
    shared_visitor: Visitor, past: dict[str, int], ending: str, states: list[str]
) -> None:
    lines = told(shared_visitor, ending=ending)
    assert {state for state in STATES if past[state] in lines} == set(states)


def test_every_other_filter_leaves_what_matches_and_nothing_else(
    shared_visitor: Visitor, past: dict[str, int], shared_world: World
) -> None:
    everything = told(shared_visitor)
    today, day = datetime.now(UTC).date(), timedelta(days=1)
    rows = {one.rollout.id: one.rollout for one in history.history(Slice(), history.RolloutFilter()).rows}
    by = next(iter(rows.values())).created_by
    for query, wanted in (
        ({"service_id": rows[past["gate"]].service_id}, [past["gate"]]),
        ({"service_id": shared_world.other}, {}),
        ({"by": by}, [id_ for id_, row in rows.items() if row.created_by == by]),
        ({"by": "nobody"}, {}),
        ({"action": "upgrade"}, [id_ for id_, row in rows.items() if row.action.value == "upgrade"]),
        ({"action": "revert"}, [id_ for id_, row in rows.items() if row.action.value == "revert"]),
        ({"host": "web-"}, everything),
        ({"host": "web-4"}, {}),
        ({"first": today, "last": today}, everything),
        ({"first": today + day}, {}),
        ({"last": today - day}, {}),
    ):
        assert set(told(shared_visitor, **query)) == set(wanted), query


def test_an_undo_says_from_which_version_to_which_unless_its_hosts_differ(visitor: Visitor, world: World) -> None:
    MAKERS["followed"](world)
    (undo,) = (
        one for one in history.history(Slice(), history.RolloutFilter()).rows if one.rollout.origin is Origin.UNDO
    )
    assert told(visitor)[undo.rollout.id].startswith("root took followed back from 1.2.0 to 1.1.0 on web-1")
    page = visitor.get(f"/rollouts/{undo.rollout.id}").text
    assert '<span class="mono">1.2.0 → 1.1.0</span></span>' in page
    step = db.session.execute(select(Step).where(Step.rollout_id == undo.rollout.id)).scalar_one()
    step.to_version_id = world.versions["1.0.0"]
    db.session.commit()
    assert told(visitor)[undo.rollout.id].startswith("root took followed back on web-1")


@pytest.mark.parametrize("query", ["ending=well", "action=up", "first=yesterday", "last=2026-02-30", "service_id=x"])
def test_a_filter_that_cannot_be_read_is_refused(shared_visitor: Visitor, query: str) -> None:
    assert shared_visitor.get(f"/rollouts?{query}").status_code == 422


def test_the_filter_shows_what_it_was_asked_for(shared_visitor: Visitor, past: dict[str, int]) -> None:
    page = shared_visitor.get("/rollouts?ending=failed&host=web-1&first=2026-01-31").text
    for shown in ('value="failed" selected', 'name="host" value="web-1"', 'name="first" value="2026-01-31"'):
        assert shown in page
    assert "No rollout matches the filter." in shared_visitor.get("/rollouts?by=nobody").text


def test_hosts_beyond_the_first_are_counted(shared_visitor: Visitor, past: dict[str, int]) -> None:
    one = next(iter(history.history(Slice(), history.RolloutFilter(ending=history.Ending.MOVING)).rows))
    assert one.more == one.rollout.hosts - len(one.hosts)
    assert len(one.hosts) <= history.NAMED


def test_hosts_that_were_left_out_are_not_among_those_it_was_done_on(visitor: Visitor, world: World) -> None:
    rollout_id = MAKERS["gate"](world)
    rollouts.resume(rollout_id, HostChoice(everyone=False, ids=(world.hosts["web-3"],)), ADMIN)
    work(rollout_id, True)
    (line,) = told(visitor).values()
    assert line.startswith("root upgraded gate from 1.1.0 to 1.2.0 on web-1, web-3 (1 left out)")
    visitor.post("/language", {"language": "zh"})
    (line,) = told(visitor).values()
    assert "web-1, web-3（已排除 1 台）" in line

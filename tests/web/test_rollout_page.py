"""The page of a rollout: how it stands, what can be done, wave by wave, kept true by the poller."""

from __future__ import annotations

import re

import pytest

from deployer.domain.status import OnFailure
from deployer.domain.strategy import Strategy, WaveSize
from deployer.operations import followups, rollouts, steps, workers
from deployer.queries import logs
from deployer.queries import rollouts as queries
from deployer.queries import steps as step_queries
from tests.standings import ALL, ALLOWED, MAKERS, ONE_BY_ONE, started, work
from tests.web.conftest import OpenPage, Visitor
from tests.world import ADMIN, World

BUTTONS = {
    "pause": 'id="pause-rollout"',
    "resume": re.compile('id="(resume|continue)-rollout"'),
    "cancel": 'id="cancel-rollout"',
    "undo": 'id="undo-rollout"',
    "retry": 'id="retry-rollout"',
}
HEADINGS = {
    "queued": "Waiting for a worker",
    "running": "Running",
    "all started": "Running",
    "paused": "Paused",
    "gate": "Waiting to continue",
    "cancelling": "Cancelling",
    "stopping": "Stopping",
    "succeeded": "Succeeded",
    "failed": "Failed",
    "cancelled": "Cancelled",
    "followed": "Failed",
}
SENTENCES = {
    "paused": "Paused by bob. No further host is started until somebody resumes it.",
    "gate": "The first wave is done. Look at its hosts, then continue with the others or undo it.",
    "cancelling": "It was ended. No further host is started.",
    "stopping": "As many hosts have failed as it may lose. No further host is started.",
}


@pytest.fixture(scope="module")
def standings(shared_world: World) -> dict[str, int]:
    """A rollout in each state, which no test of this module changes."""
    return {state: make(shared_world) for state, make in MAKERS.items()}


def heading(page: str) -> str:
    found = re.search(r"<h1>Rollout #\d+ <span[^>]*>([^<]+)</span></h1>", page)
    assert found
    return found[1]


@pytest.mark.parametrize("state", MAKERS)
def test_it_says_how_it_stands_and_offers_what_can_be_done_now(
    shared_visitor: Visitor, standings: dict[str, int], state: str
) -> None:
    page = shared_visitor.get(f"/rollouts/{standings[state]}").text
    assert heading(page) == HEADINGS[state]
    for sentence in SENTENCES.values():
        assert (sentence in page) is (sentence == SENTENCES.get(state))
    for action, button in BUTTONS.items():
        assert bool(re.search(button, page)) is (state in ALLOWED[action]), action


def test_a_viewer_sees_all_of_it_and_is_offered_nothing(visitor: Visitor, world: World) -> None:
    rollout_id = MAKERS["gate"](world)
    viewer = Visitor(visitor.client.application.test_client())
    viewer.sign_in("vic")
    page = viewer.get(f"/rollouts/{rollout_id}").text
    assert SENTENCES["gate"] in page
    assert "rollout-actions" not in page
    for path in ("pause", "cancel", "resume", "undo", "retry", "undo/plan"):
        assert viewer.post(f"/rollouts/{rollout_id}/{path}").status_code == 403
    for path in ("resume", "undo", "retry"):
        assert viewer.get(f"/rollouts/{rollout_id}/{path}").status_code == 403


def test_hosts_are_grouped_by_wave_with_counts(shared_visitor: Visitor, standings: dict[str, int]) -> None:
    page = shared_visitor.get(f"/rollouts/{standings['failed']}").text
    found = re.findall(r'<tr class="group"[^>]*><th[^>]*>(.*?)</th></tr>|>(web-\d)</a>', page)
    told = [re.sub("<[^>]+>", "", group).strip() or host for group, host in found]
    assert told == [
        "Wave 1 of 3 1 of 1 done",
        "web-1",
        "Wave 2 of 3 1 of 1 done 1 failed",
        "web-2",
        "Wave 3 of 3 0 of 1 done 1 never started",
        "web-3",
    ]


def test_one_wave_is_not_called_so(shared_visitor: Visitor, standings: dict[str, int]) -> None:
    assert "Wave 1" not in shared_visitor.get(f"/rollouts/{standings['running']}").text


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("running", "All hosts at once · stops after 1 failed host"),
        ("paused", "3 waves of 1 host · stops after 1 failed host"),
        ("gate", "3 waves of 1 host · waits after the first wave · stops after 1 failed host"),
        ("all started", "All hosts at once · stops after 3 failed hosts"),
    ],
)
def test_it_says_how_it_was_told_to_go(
    shared_visitor: Visitor, standings: dict[str, int], state: str, words: str
) -> None:
    assert words in shared_visitor.get(f"/rollouts/{standings[state]}").text


def test_a_rollout_that_undoes_itself_says_so_before(visitor: Visitor, world: World) -> None:
    rollout_id = started(world, "careful", Strategy(WaveSize(percent=50), 2, on_failure=OnFailure.UNDO))
    page = visitor.get(f"/rollouts/{rollout_id}").text
    assert "2 waves of 50% · stops after 2 failed hosts, then undoes all of them" in page


def test_it_links_what_it_follows_and_what_follows_it(
    shared_visitor: Visitor, shared_world: World, standings: dict[str, int]
) -> None:
    first = standings["followed"]
    retry, undo = queries.followers(first)
    page = shared_visitor.get(f"/rollouts/{first}").text
    assert f'Followed by retry</dt><dd><a id="followed-{retry[0]}" href="/rollouts/{retry[0]}">' in page
    assert f'Followed by undo</dt><dd><a id="followed-{undo[0]}" href="/rollouts/{undo[0]}">' in page
    page = shared_visitor.get(f"/rollouts/{undo[0]}").text
    assert f'Undo of</dt><dd><a id="follows" href="/rollouts/{first}">' in page
    assert "goes on whatever fails" in page
    page = shared_visitor.get("/rollouts").text
    assert f'Undo of <a href="/rollouts/{first}">#{first}</a>' in page
    assert f'Retry of <a href="/rollouts/{first}">#{first}</a>' in page


def test_the_list_tells_what_a_rollout_waits_for(shared_visitor: Visitor, standings: dict[str, int]) -> None:
    page = shared_visitor.get("/rollouts").text
    rows = {state: re.search(rf">#{id_}</a></th>(.*?)</tr>", page, re.DOTALL) for state, id_ in standings.items()}
    for state, words in HEADINGS.items():
        row = rows[state]
        assert row
        assert f">{words}</span>" in row[1], state
    gate = rows["gate"]
    assert gate
    assert "Wave 2 of 3" in gate[1]


class TestChanges:
    """What the poller gets."""

    def test_only_the_waves_and_hosts_that_changed_travel(self, visitor: Visitor, world: World) -> None:
        rollout_id = started(world, "waves", ONE_BY_ONE)
        work(rollout_id, True)
        standing = OpenPage(visitor, f"/rollouts/{rollout_id}")
        work(rollout_id, None)
        second = step_queries.steps(rollout_id)[1]
        assert list(standing.poll()) == ["rollout-head", "wave-2", f"step-{second.id}"]
        assert standing.poll() == {}

    def test_a_rollout_that_follows_appears_at_once(self, visitor: Visitor, world: World) -> None:
        rollout_id = started(world, "undone")
        (step, *_rest) = steps.take_steps(rollout_id, "a worker", 1)
        assert followups.undo(rollout_id, ALL, ADMIN).accepted is None
        standing = OpenPage(visitor, f"/rollouts/{rollout_id}")
        assert "The undo begins when the running hosts are done (asked by root)." in standing.html
        assert 'id="undo-rollout"' not in standing.html
        assert steps.settle_step(step, steps.Settlement(ok=True, running="1.2.0"))
        text = visitor.get(standing.address, query_string={"since": 0}).text
        assert "Followed by undo</dt>" in text
        assert "The undo begins" not in text
        assert "hx-trigger" not in text.partition("<hx-partial")[0], "nothing can change any more"

    def test_a_worker_that_comes_or_goes_is_told_without_a_revision(self, visitor: Visitor, world: World) -> None:
        rollout_id = started(world, "waiting")
        page = visitor.get(f"/rollouts/{rollout_id}").text
        since = queries.cursor(rollout_id)
        assert "No worker is alive, so nothing goes on." in page
        assert "<code>deployer worker</code>" in page
        assert "alive=0" in page
        path = f"/rollouts/{rollout_id}/changes?since={since}&alive="
        assert visitor.get(path + "0").status_code == 204

        workers.beat("a worker", 10)
        answer = visitor.get(path + "0")
        assert answer.status_code == 200
        assert 'id="rollout-head"' in answer.text
        assert "No worker is alive" not in answer.text
        assert "alive=1" in answer.text
        assert visitor.get(path + "1").status_code == 204
        workers.leave("a worker")
        assert "No worker is alive" in visitor.get(path + "1").text
        assert visitor.get(path + "2").status_code == 422

    def test_the_page_of_a_service_tells_it_only_while_hosts_are_held(self, visitor: Visitor, world: World) -> None:
        rollout_id = started(world, "held")
        service_id = queries.rollout(rollout_id).service_id
        page = visitor.get(f"/services/{service_id}").text
        assert "No worker is alive, so nothing goes on." in page
        assert "alive=0" in page
        path = f"/services/{service_id}/changes?since={queries.cursor(rollout_id)}&alive="
        assert visitor.get(path + "0").status_code == 204
        assert 'id="worker"' in visitor.get(path + "1").text

        rollouts.cancel(rollout_id, ADMIN)
        page = visitor.get(f"/services/{service_id}").text
        assert "No worker is alive" not in page
        assert "alive=" not in page


def test_hosts_are_counted_by_state_and_listed_by_state(shared_visitor: Visitor, standings: dict[str, int]) -> None:
    path = f"/rollouts/{standings['failed']}"
    assert f'href="{path}?state=failed"' in shared_visitor.get(path).text
    page = shared_visitor.get(path + "?state=failed").text
    assert re.findall(r">(web-\d)</a>", page) == ["web-2"]
    assert shared_visitor.get(path + "?state=lost").status_code == 422
    moving = f"/rollouts/{standings['running']}"
    assert "?state=" not in shared_visitor.get(moving).text


def test_the_merged_log_is_in_order_and_bounded(
    visitor: Visitor, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    rollout_id = started(world, "talking")
    taken = steps.take_steps(rollout_id, "a worker", 2)
    for n in range(3):
        steps.say([steps.Said(step, [f"line {n} a", f"line {n} b"], None) for step in taken])
    lines = logs.merged(rollout_id)
    assert [(line.hostname, line.text) for line in lines][:4] == [
        ("web-1", "line 0 a"),
        ("web-1", "line 0 b"),
        ("web-2", "line 0 a"),
        ("web-2", "line 0 b"),
    ]
    assert len(lines) == 12
    assert "newest" not in visitor.get(f"/rollouts/{rollout_id}/log").text
    monkeypatch.setattr(logs, "MERGED_LINES", 5)
    assert logs.merged(rollout_id) == lines[-5:]
    shown = visitor.get(f"/rollouts/{rollout_id}/log").text
    assert "line 2 b" in shown
    assert "The newest 5 lines of all hosts." in shown


def test_a_log_that_is_not_shown_from_its_beginning_says_so(
    visitor: Visitor, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    rollout_id = started(world, "talking")
    step = steps.take_steps(rollout_id, "a worker", 1)[0]
    steps.say([steps.Said(step, [f"line {n}" for n in range(4)], None)])
    path = f"/rollouts/{rollout_id}/steps/{step.step_id}"
    monkeypatch.setattr(step_queries, "LOG_LINES", 4)
    assert "newest" not in visitor.get(path).text
    monkeypatch.setattr(step_queries, "LOG_LINES", 3)
    shown = visitor.get(path).text
    assert "The newest 3 lines." in shown
    assert "line 0" not in shown

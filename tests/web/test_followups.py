"""The dialogs that go on with a rollout, undo it, or try its failed hosts again: what they say, send and refuse."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from werkzeug.test import TestResponse

from deployer.domain.hosts import HostChoice
from deployer.extensions import db
from deployer.operations import followups, rollouts
from deployer.queries import steps as step_queries
from tests.hostile import MALFORMED_HOSTS
from tests.standings import ALL, BOB, MAKERS
from tests.web.conftest import Visitor
from tests.web.test_rollout_refusals import refuse
from tests.world import World, snapshot

HTMX = {"HX-Request": "true"}


@pytest.fixture(scope="module")
def standings(shared_world: World) -> dict[str, int]:
    """A rollout in each state, which no test of this module changes."""
    return {state: make(shared_world) for state, make in MAKERS.items()}


class Dialog:
    """One of the dialogs as a page, and what it sends."""

    def __init__(self, visitor: Visitor, rollout_id: int, kind: str) -> None:
        self.visitor = visitor
        self.path = f"/rollouts/{rollout_id}/{kind}"
        self.page = visitor.get(self.path).text

    def rows(self) -> dict[str, str]:
        """What each line says of its host; a host that cannot be ticked is in brackets."""
        found = {}
        for line in re.findall(r'<label class="chk">.*?</label>', self.page, re.DOTALL):
            host, said = (re.sub("<[^>]+>", "", part).strip() for part in re.findall(r"<span[^>]*>.*?</span>", line))
            found[f"({host})" if " disabled" in line else host] = said
        return found

    def ticked(self) -> list[int]:
        return [int(one) for one in re.findall(r'name="host_id" value="(\d+)" checked', self.page)]

    def plan(self) -> dict[str, str]:
        """The token, and which hosts it is for."""
        return dict(re.findall(r'name="(plan|shown)" value="([^"]+)"', self.page))

    def send(self, *host_ids: int, headers: dict[str, str] | None = None, **fields: Any) -> TestResponse:
        pairs = [*((self.plan() | fields).items()), *(("host_id", one) for one in host_ids)]
        answer = self.visitor.post(self.path, pairs, headers=headers)
        self.page = answer.text
        return answer


def states(rollout_id: int) -> dict[str, str]:
    db.session.rollback()
    return {step.hostname: step.state.value for step in step_queries.steps(rollout_id)}


def events(answer: TestResponse) -> dict[str, Any]:
    return dict(json.loads(answer.headers["HX-Trigger"]))


def test_pause_and_cancel_are_plain_forms(visitor: Visitor, world: World) -> None:
    rollout_id = MAKERS["running"](world)
    page = f"/rollouts/{rollout_id}"
    answer = visitor.post(page + "/pause")
    assert (answer.status_code, answer.location) == (303, page)
    assert "Paused by ann." in visitor.get(page).text
    assert "1 host is still being worked on." in visitor.get(page).text
    assert visitor.post(page + "/resume", {"host": "all"}).location == page
    assert visitor.post(page + "/cancel").location == page
    assert states(rollout_id) == {"web-1": "succeeded", "web-2": "running", "web-3": "cancelled"}
    again = visitor.post(page + "/pause")
    assert again.status_code == 409
    assert "It is cancelling. Reload the page to see where it stands." in again.text


def test_at_the_gate_one_goes_on_with_some_and_leaves_out_the_others(visitor: Visitor, world: World) -> None:
    rollout_id = MAKERS["gate"](world)
    dialog = Dialog(visitor, rollout_id, "resume")
    assert dialog.rows() == {"web-2": "1.1.0 → 1.2.0", "web-3": "1.1.0 → 1.2.0"}
    assert dialog.ticked() == [world.hosts["web-2"], world.hosts["web-3"]]
    assert f'href="/rollouts/{rollout_id}/undo"' in dialog.page
    answer = dialog.send(world.hosts["web-3"], headers=HTMX)
    assert answer.status_code == 204
    assert events(answer)["closeDialog"] == {"otherwise": f"/rollouts/{rollout_id}", "leave": False}
    assert states(rollout_id) == {"web-1": "succeeded", "web-2": "skipped", "web-3": "queued"}
    tally = re.search(r"<ul class=\"tally\">.*?</ul>", visitor.get(f"/rollouts/{rollout_id}").text, re.DOTALL)
    assert tally
    assert [" ".join(re.sub(r"<[^>]*>", "", item).split()) for item in tally[0].split("</li>")] == [
        "1 Succeeded",
        "1 Queued",
        "1 Left out",
        "",
    ]


def test_a_gate_that_somebody_else_opened_is_told_in_the_dialog(visitor: Visitor, world: World) -> None:
    rollout_id = MAKERS["gate"](world)
    dialog = Dialog(visitor, rollout_id, "resume")
    rollouts.resume(rollout_id, ALL, BOB)
    before = snapshot()
    answer = dialog.send(world.hosts["web-2"])
    assert answer.status_code == 409
    assert "The rollout was not continued" in answer.text
    assert "It is running." in answer.text
    assert snapshot() == before


def test_an_undo_of_every_host_leads_to_its_own_page(visitor: Visitor, world: World) -> None:
    rollout_id = MAKERS["succeeded"](world)
    dialog = Dialog(visitor, rollout_id, "undo")
    assert dialog.rows() == dict.fromkeys(("web-1", "web-2", "web-3"), "1.2.0 → 1.1.0")
    assert "3 hosts to 1.1.0 · all at once" in dialog.page
    answer = dialog.send(*dialog.ticked())
    assert answer.status_code == 303
    assert answer.location == f"/rollouts/{rollout_id + 1}"
    assert states(rollout_id + 1) == dict.fromkeys(("web-1", "web-2", "web-3"), "queued")


def test_with_htmx_the_browser_is_told_to_go_there(visitor: Visitor, world: World) -> None:
    rollout_id = MAKERS["failed"](world)
    dialog = Dialog(visitor, rollout_id, "retry")
    assert dialog.rows() == {"web-2": "1.1.0 → 1.2.0"}
    answer = dialog.send(*dialog.ticked(), headers=HTMX)
    assert answer.status_code == 204
    assert events(answer)["closeDialog"] == {"otherwise": f"/rollouts/{rollout_id + 1}", "leave": True}


def test_other_hosts_than_the_plan_was_shown_for_are_reviewed_first(visitor: Visitor, world: World) -> None:
    rollout_id = MAKERS["succeeded"](world)
    dialog = Dialog(visitor, rollout_id, "undo")
    before = snapshot()
    answer = dialog.send(world.hosts["web-1"], world.hosts["web-3"])
    assert answer.status_code == 200
    assert "Nothing was done yet." in answer.text
    assert "2 hosts to 1.1.0" in answer.text
    assert dialog.ticked() == [world.hosts["web-1"], world.hosts["web-3"]]
    assert snapshot() == before
    assert dialog.send(*dialog.ticked()).location == f"/rollouts/{rollout_id + 1}"
    assert states(rollout_id + 1) == {"web-1": "queued", "web-3": "queued"}


def test_the_plan_follows_the_ticks(visitor: Visitor, world: World) -> None:
    rollout_id = MAKERS["succeeded"](world)
    dialog = Dialog(visitor, rollout_id, "undo")
    answer = visitor.post(dialog.path + "/plan", [("host_id", world.hosts["web-2"])])
    assert answer.text.lstrip().startswith('<div id="follow-plan"')
    assert "1 host to 1.1.0" in answer.text
    dialog.page = answer.text
    assert dialog.plan()["shown"] == str(world.hosts["web-2"])
    assert dialog.send(world.hosts["web-2"]).status_code == 303
    nobody = visitor.post(dialog.path + "/plan", [])
    assert "No host is selected." in nobody.text
    assert 'name="plan"' not in nobody.text


def test_a_plan_that_the_world_has_overtaken_is_shown_anew_with_what_has_changed(
    visitor: Visitor, world: World
) -> None:
    rollout_id = MAKERS["succeeded"](world)
    dialog = Dialog(visitor, rollout_id, "undo")
    every = dialog.ticked()
    his = followups.undo(rollout_id, HostChoice(everyone=False, ids=(every[1],)), BOB).accepted
    assert his
    before = snapshot()
    answer = dialog.send(*every)
    assert answer.status_code == 409
    assert "Nothing was undone" in answer.text
    assert f"web-2: Rollout #{his.rollout_id} of bob holds it." in answer.text
    assert snapshot() == before


def test_hosts_that_cannot_be_part_of_it_are_there_with_the_reason(visitor: Visitor, world: World) -> None:
    rollout_id = MAKERS["failed"](world)
    dialog = Dialog(visitor, rollout_id, "undo")
    assert dialog.rows() == {"web-1": "1.2.0 → 1.1.0", "(web-2)": "It runs 1.1.0 again."}


def test_an_undo_of_hosts_that_are_being_worked_on_is_for_all_of_them(visitor: Visitor, world: World) -> None:
    rollout_id = MAKERS["running"](world)
    dialog = Dialog(visitor, rollout_id, "undo")
    assert dialog.rows() == {}
    assert "1 host is being worked on." in dialog.page
    assert "The undo begins when the running ones are done" in dialog.page
    answer = dialog.send(host="all", headers=HTMX)
    assert answer.status_code == 204
    assert events(answer)["closeDialog"] == {"otherwise": f"/rollouts/{rollout_id}", "leave": False}
    assert "(asked by ann)" in visitor.get(f"/rollouts/{rollout_id}").text


def test_a_dialog_with_nothing_to_do_says_why_and_has_no_button(
    shared_visitor: Visitor, standings: dict[str, int]
) -> None:
    for state, kind, words in (
        ("followed", "undo", "There is nothing to undo."),
        ("followed", "undo", "has worked on it since; it runs 1.1.0."),
        ("followed", "retry", "There is no failed host to try again."),
        ("running", "retry", "This rollout has not ended yet."),
        ("running", "resume", "This rollout does not wait to be continued."),
    ):
        page = shared_visitor.get(f"/rollouts/{standings[state]}/{kind}").text
        assert words in page
        assert 'type="submit"' not in page


@pytest.mark.parametrize(("kind", "state"), [("resume", "gate"), ("undo", "succeeded"), ("retry", "failed")])
def test_hostile_hosts_are_refused_at_their_field_and_what_was_ticked_is_kept(
    shared_visitor: Visitor, shared_world: World, standings: dict[str, int], kind: str, state: str
) -> None:
    path = f"/rollouts/{standings[state]}/{kind}"
    tick = Dialog(shared_visitor, standings[state], kind).ticked()[-1]
    for text in MALFORMED_HOSTS.values():
        sent = b"\xed\xa0\x80" if text == "\ud800" else text
        page = refuse(shared_visitor, shared_world, {422}, {"host": sent}, path)
        assert 'id="host-error"' in page
        if kind != "resume":
            shared_visitor.post(path + "/plan", {"host_id": sent})
    page = refuse(shared_visitor, shared_world, {422}, [("host_id", tick), ("host_id", "1abc")], path)
    assert f'name="host_id" value="{tick}" checked' in page
    refuse(shared_visitor, shared_world, {422}, [("host_id", tick), ("host", "all")], path)
    refuse(shared_visitor, shared_world, {422}, {"host": "99999", "shown": "99999"}, path)
    refuse(shared_visitor, shared_world, {404}, {"host": "all"}, f"/rollouts/99999/{kind}")


@pytest.mark.parametrize("kind", ["undo", "retry"])
@pytest.mark.parametrize("text", ["newest", "1-", "1-" + "a" * 63, "9" * 5000, "1-" + "a" * 64 + "\n", "\x00"])
def test_a_hostile_plan_is_refused_at_its_field(
    shared_visitor: Visitor, shared_world: World, standings: dict[str, int], kind: str, text: str
) -> None:
    path = f"/rollouts/{standings['failed']}/{kind}"
    assert 'id="plan-error"' in refuse(shared_visitor, shared_world, {422}, {"host": "all", "plan": text}, path)


def test_a_form_without_its_csrf_token_does_nothing(shared_visitor: Visitor, standings: dict[str, int]) -> None:
    before = snapshot()
    for state, action in (("running", "pause"), ("gate", "resume"), ("running", "cancel"), ("succeeded", "undo")):
        answer = shared_visitor.client.post(f"/rollouts/{standings[state]}/{action}", data={"host": "all"})
        assert answer.status_code == 400
    assert snapshot() == before

"""An undo: the hosts that it takes back, while the rollout runs and afterwards."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, Page, expect

from tests.browser.scripted import Scripted
from tests.browser.test_watch_rollout import headed
from tests.browser.visits import Visits, is_marked, mark


def done(page: Page, service: Scripted, *hosts: str) -> int:
    """The page of a rollout that has succeeded; its id."""
    rollout = service.roll_out("1.2.0", *hosts)
    assert service.demo.wait_for_rollout(rollout) == "succeeded"
    page.goto(f"/rollouts/{rollout}")
    return rollout


def open_undo(page: Page) -> Locator:
    page.get_by_role("link", name="Undo…").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_have_accessible_name(re.compile("^Undo rollout "))
    return dialog


def test_the_chosen_hosts_go_back_and_the_page_of_that_opens(page: Page, service: Scripted) -> None:
    rollout = done(page, service, "demo-3", "demo-4")
    dialog = open_undo(page)
    expect(dialog.locator("label").filter(has_text="demo-3")).to_contain_text("1.2.0 → 1.1.0")
    expect(dialog.get_by_text("2 hosts to 1.1.0")).to_be_visible()
    dialog.get_by_role("checkbox", name="demo-4").uncheck()
    expect(dialog.get_by_text("1 host to 1.1.0")).to_be_visible()
    dialog.get_by_role("button", name="Undo 1 host", exact=True).click()

    page.wait_for_url(f"**/rollouts/{rollout + 1}")
    expect(headed(page, "Succeeded")).to_be_visible()
    expect(page.locator("#rollout-head")).to_contain_text(f"Undo of#{rollout}")
    expect(page.get_by_role("row", name="demo-3")).to_contain_text("1.2.0 → 1.1.0")
    assert (service.runs("demo-3"), service.runs("demo-4")) == ("1.1.0", "1.2.0")


def test_select_all_is_part_of_the_plan(page: Page, service: Scripted) -> None:
    rollout = done(page, service, "demo-3", "demo-4")
    dialog = open_undo(page)
    dialog.get_by_role("checkbox", name="Select all").uncheck()
    expect(dialog.get_by_text("No host is selected.")).to_be_visible()
    dialog.get_by_role("checkbox", name="Select all").check()
    dialog.get_by_role("button", name="Undo 2 hosts", exact=True).click()
    page.wait_for_url(f"**/rollouts/{rollout + 1}")


def test_an_undo_of_a_rollout_that_runs_begins_when_its_hosts_are_done(page: Page, service: Scripted) -> None:
    service.close_gate()
    rollout = service.roll_out("1.2.0", "demo-3", "demo-4", wave_size="1")
    page.goto(f"/rollouts/{rollout}")
    expect(page.get_by_role("row", name="demo-3")).to_contain_text("Running the deploy command")
    mark(page)
    dialog = open_undo(page)
    expect(dialog).to_contain_text("1 host is being worked on. No further host is started.")
    dialog.get_by_role("button", name="End the rollout and undo it").click()
    expect(dialog).to_be_hidden()
    expect(page.get_by_text("The undo begins when the running hosts are done (asked by demo).")).to_be_visible()
    expect(page.get_by_role("row", name="demo-4")).to_contain_text("Cancelled")

    service.open_gate()
    expect(page.locator("#rollout-head")).to_contain_text(f"Followed by undo#{rollout + 1}")
    assert is_marked(page)
    page.get_by_role("link", name=f"#{rollout + 1}", exact=True).click()
    expect(headed(page, "Succeeded")).to_be_visible()
    assert service.runs("demo-3") == "1.1.0"


def test_what_changed_meanwhile_is_shown_and_the_rest_can_be_sent(
    page: Page, visits: Visits, service: Scripted
) -> None:
    visits.provoked.add("status of 409")
    rollout = done(page, service, "demo-3", "demo-4")
    dialog = open_undo(page)
    other = service.demo.call(f"/rollouts/{rollout}/undo", {"host": service.host_ids("demo-4")})["rollout_id"]
    service.demo.wait_for_rollout(other)
    dialog.get_by_role("button", name="Undo 2 hosts", exact=True).click()

    expect(dialog.get_by_role("alert")).to_contain_text("Nothing was undone")
    expect(dialog.locator("#host-error")).to_contain_text("has worked on it since; it runs 1.1.0.")
    expect(dialog.get_by_role("checkbox", name="demo-3")).to_be_checked()
    expect(dialog.get_by_role("checkbox", name="demo-4")).to_be_disabled()
    dialog.get_by_role("button", name="Undo 1 host", exact=True).click()
    page.wait_for_url(f"**/rollouts/{other + 1}")


def test_without_javascript_another_choice_is_reviewed_before_it_is_done(visits: Visits, service: Scripted) -> None:
    page = visits.signed_in(java_script_enabled=False)
    rollout = done(page, service, "demo-3", "demo-4")
    page.get_by_role("link", name="Undo…").click()
    page.get_by_role("checkbox", name="demo-3").uncheck()
    page.get_by_role("button", name="Undo the chosen hosts").click()
    expect(page.get_by_text("Nothing was done yet.")).to_be_visible()
    expect(page.get_by_text("1 host to 1.1.0")).to_be_visible()
    expect(page.get_by_role("checkbox", name="demo-3")).not_to_be_checked()
    page.get_by_role("button", name="Undo the chosen hosts").click()
    expect(page).to_have_url(re.compile(rf"/rollouts/{rollout + 1}$"))
    expect(page.get_by_role("table").get_by_role("rowheader")).to_have_text(["demo-4 1.2.0 → 1.1.0"])

"""A rollout that waits after its first wave: somebody looks, and goes on with some hosts or takes it back."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, Page, expect

from tests.browser.scripted import Scripted
from tests.browser.test_watch_rollout import headed
from tests.browser.visits import Visits, is_marked, mark


def at_the_gate(page: Page, service: Scripted) -> int:
    """The page of a rollout of which two hosts are done and two wait; its id."""
    hosts = ("demo-3", "demo-4", "demo-5", "demo-6")
    rollout = service.roll_out("1.2.0", *hosts, wave_size="50%", pause_after_first="true")
    page.goto(f"/rollouts/{rollout}")
    expect(headed(page, "Waiting to continue")).to_be_visible()
    expect(page.get_by_text("The first wave is done.")).to_be_visible()
    return rollout


def open_gate(page: Page) -> Locator:
    page.get_by_role("link", name="Continue…").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_have_accessible_name(re.compile("^Continue rollout "))
    return dialog


def test_it_goes_on_with_the_chosen_hosts_and_leaves_out_the_others(page: Page, service: Scripted) -> None:
    at_the_gate(page, service)
    mark(page)
    dialog = open_gate(page)
    expect(dialog.get_by_role("button", name="Continue with 2 hosts", exact=True)).to_be_visible()
    every = dialog.get_by_role("checkbox", name="Select all")
    expect(every).to_be_checked()
    every.uncheck()
    expect(dialog.get_by_role("button", name="Continue with the chosen hosts")).to_be_visible()
    dialog.get_by_role("checkbox", name="demo-5").check()
    dialog.get_by_role("button", name="Continue with 1 host", exact=True).click()

    expect(dialog).to_be_hidden()
    expect(headed(page, "Succeeded")).to_be_visible()
    expect(page.get_by_role("row", name="demo-5")).to_contain_text("Succeeded")
    expect(page.get_by_role("row", name="demo-6")).to_contain_text("Left out")
    assert is_marked(page)
    assert (service.runs("demo-5"), service.runs("demo-6")) == ("1.2.0", "1.1.0")


def test_no_chosen_host_is_refused_in_the_dialog(page: Page, visits: Visits, service: Scripted) -> None:
    visits.provoked.add("status of 422")
    at_the_gate(page, service)
    dialog = open_gate(page)
    dialog.get_by_role("checkbox", name="Select all").uncheck()
    dialog.get_by_role("button", name="Continue with the chosen hosts").click()
    expect(dialog.get_by_role("alert")).to_contain_text("The rollout was not continued")
    expect(dialog.locator("#host-error")).to_contain_text("Choose at least one host")
    expect(dialog.get_by_role("checkbox", name="demo-5")).not_to_be_checked()


def test_from_the_gate_it_is_taken_back_as_well(page: Page, service: Scripted) -> None:
    rollout = at_the_gate(page, service)
    dialog = open_gate(page)
    dialog.get_by_role("link", name="Undo…").click()
    expect(dialog).to_have_accessible_name(f"Undo rollout #{rollout}")
    expect(dialog).to_contain_text("The rollout ends: no further host is started.")
    dialog.get_by_role("button", name="Undo 2 hosts", exact=True).click()

    page.wait_for_url(f"**/rollouts/{rollout + 1}")
    expect(headed(page, "Succeeded")).to_be_visible()
    page.get_by_role("link", name=f"#{rollout}", exact=True).click()
    expect(headed(page, "Cancelled")).to_be_visible()
    assert {service.runs(host) for host in ("demo-3", "demo-4", "demo-5", "demo-6")} == {"1.1.0"}


def test_without_javascript_the_same_addresses_are_pages(visits: Visits, service: Scripted) -> None:
    page = visits.signed_in(java_script_enabled=False)
    rollout = service.roll_out("1.2.0", "demo-3", "demo-4", wave_size="1", pause_after_first="true")
    while service.demo.call(f"/rollouts/{rollout}")["state"] != "paused":
        pass
    page.goto(f"/rollouts/{rollout}")
    page.get_by_role("link", name="Continue…").click()
    page.get_by_role("button", name="Continue with the chosen hosts").click()
    expect(page).to_have_url(re.compile(rf"/rollouts/{rollout}$"))
    assert service.demo.wait_for_rollout(rollout) == "succeeded"

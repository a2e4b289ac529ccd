"""The dialog's hosts: tick, filter, select all."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.browser.pause import PausedWorker
from tests.browser.scripted import Scripted
from tests.browser.visits import Visits, open_dialog


def test_the_filter_keeps_the_ticks_that_it_hides(page: Page, still_service: Scripted) -> None:
    dialog = open_dialog(page, still_service.id)
    hosts = dialog.get_by_role("checkbox", name="demo-")
    dialog.get_by_role("checkbox", name="demo-3").check()
    dialog.get_by_role("searchbox", name="Filter hosts").press_sequentially("demo-4")

    expect(hosts).to_have_count(1)
    expect(dialog.get_by_text("1 selected host is hidden by the filter.")).to_be_visible()
    dialog.get_by_role("checkbox", name="demo-4").check()
    expect(dialog.get_by_role("button", name="Upgrade 2 hosts to 1.4.0", exact=True)).to_be_visible()
    expect(dialog.get_by_text("2 selected")).to_be_visible()

    dialog.get_by_role("searchbox", name="Filter hosts").clear()
    expect(hosts).to_have_count(4)
    for hostname, ticked in {"demo-3": True, "demo-4": True, "demo-5": False, "demo-6": False}.items():
        expect(dialog.get_by_role("checkbox", name=hostname)).to_be_checked(checked=ticked)


def test_hosts_are_found_by_label_and_the_ticks_stay(page: Page, service: Scripted) -> None:
    for host in service.demo.call("/hosts"):
        if host["hostname"] == "demo-4":
            kept = {name: host[name] for name in ("hostname", "address", "directory", "description", "reach")}
            ssh = {name: host[name] or "" for name in ("ssh_user", "ssh_port", "jump", "credential") if name in host}
            service.demo.call(f"/hosts/{host['id']}", {**kept, **ssh, "labels": "canary"})
    dialog = open_dialog(page, service.id)
    dialog.get_by_role("checkbox", name="demo-3").check()
    dialog.get_by_label("Label of the host").select_option("canary")
    expect(dialog.get_by_role("checkbox", name="demo-")).to_have_count(1)
    dialog.get_by_role("checkbox", name="demo-4").check()
    expect(dialog.get_by_role("button", name="Upgrade 2 hosts to 1.4.0", exact=True)).to_be_visible()
    page.keyboard.press("Escape")

    page.get_by_label("Label of the host").select_option("canary")
    expect(page.locator("#instances tbody tr")).to_have_count(1)
    expect(page).to_have_url(re.compile(r"\?label=canary$"))


def test_enter_in_the_filter_filters_and_starts_nothing(page: Page, still_service: Scripted) -> None:
    dialog = open_dialog(page, still_service.id)
    dialog.get_by_role("checkbox", name="demo-3").check()
    dialog.get_by_role("searchbox", name="Filter hosts").fill("no such host")
    dialog.get_by_role("searchbox", name="Filter hosts").press("Enter")

    expect(dialog.get_by_text("No host matches the filter.")).to_be_visible()
    assert still_service.demo.call(f"/rollouts?service_id={still_service.id}") == []


def test_select_all_has_three_states(page: Page, still_service: Scripted) -> None:
    dialog = open_dialog(page, still_service.id)
    everything = dialog.get_by_role("checkbox", name="Select all free hosts")
    expect(everything).to_be_checked(checked=False)
    dialog.get_by_role("checkbox", name="demo-3").check()
    expect(everything).to_be_checked(indeterminate=True)

    everything.check()
    expect(dialog.get_by_role("button", name="Upgrade 4 hosts to 1.4.0", exact=True)).to_be_visible()
    dialog.get_by_role("checkbox", name="demo-5").uncheck()
    expect(everything).to_be_checked(indeterminate=True)
    dialog.get_by_role("checkbox", name="demo-5").check()
    expect(everything).to_be_checked()

    everything.uncheck()
    expect(dialog.get_by_role("checkbox", name="demo-", checked=True)).to_have_count(0)
    expect(dialog.get_by_role("button", name="Upgrade the chosen hosts", exact=True)).to_be_visible()


def test_sending_without_a_host_says_so_at_the_hosts(page: Page, visits: Visits, still_service: Scripted) -> None:
    visits.provoked.add("status of 422")
    dialog = open_dialog(page, still_service.id)
    dialog.get_by_label("Why").fill("typed before")
    dialog.get_by_role("button", name="Upgrade the chosen hosts").click()

    expect(dialog.get_by_role("alert")).to_contain_text("The rollout was not started")
    expect(dialog.get_by_role("alert")).to_be_focused()
    expect(dialog.locator("#host-error")).to_be_visible()
    expect(dialog.get_by_label("Why")).to_have_value("typed before")


def test_only_free_hosts_leaves_out_the_locked(page: Page, service: Scripted, paused_worker: PausedWorker) -> None:
    service.roll_out("1.2.0", "demo-5")
    dialog = open_dialog(page, service.id)
    expect(dialog.get_by_role("checkbox", name="demo-")).to_have_count(4)
    dialog.get_by_role("checkbox", name="Only free hosts").check()

    expect(dialog.get_by_role("checkbox", name="demo-")).to_have_count(3)
    expect(dialog.get_by_role("checkbox", name="demo-5")).to_have_count(0)


def test_how_it_goes_does_not_change_which_hosts_are_chosen(page: Page, still_service: Scripted) -> None:
    page.goto(f"/services/{still_service.id}")
    page.get_by_role("link", name="Upgrade…", exact=True).click()
    dialog = page.get_by_role("dialog")
    everyone = dialog.locator("input[name=host]")  # only seen where there are more hosts than are listed
    everyone.evaluate("box => { box.checked = true; box.dispatchEvent(new Event('change', { bubbles: true })); }")
    dialog.get_by_label("Pause after the first wave").check()
    expect(everyone).to_be_checked()
    dialog.get_by_role("checkbox", name="demo-3").check()
    expect(everyone).not_to_be_checked()

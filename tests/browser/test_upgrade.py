"""An upgrade in the browser, from the button to the new version."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.browser.pause import PausedWorker
from tests.browser.scripted import Scripted
from tests.browser.visits import instance_row, is_marked, mark, open_dialog
from tests.demo.tree import Tree, told_version


def test_hosts_are_upgraded_while_the_page_stands_open(page: Page, demo: Tree, paused_worker: PausedWorker) -> None:
    before = {one["id"]: told_version(one) for one in demo.instances("billing")}
    dialog = open_dialog(page, demo.service("billing"))
    mark(page)
    dialog.get_by_label("Target version").select_option(str(demo.version("billing", "1.2.0")))
    for hostname in ("demo-3", "demo-4"):
        dialog.get_by_role("checkbox", name=hostname).check()
    dialog.get_by_role("button", name="Upgrade 2 hosts to 1.2.0", exact=True).click()

    expect(dialog).to_be_hidden()
    for hostname in ("demo-3", "demo-4"):
        row = instance_row(page, hostname)
        expect(row).to_contain_text("Queued to upgrade")
        expect(row).to_contain_text(re.compile(r"#\d+ demo → 1\.2\.0"))
        expect(row.locator(".tag")).to_have_text("1.1.0")
    assert {one["id"]: told_version(one) for one in demo.instances("billing")} == before

    paused_worker.go_on()
    for hostname in ("demo-3", "demo-4"):
        row = instance_row(page, hostname)
        expect(row).to_contain_text("Running")
        expect(row.locator(".tag")).to_have_text("1.2.0")
        expect(row).not_to_contain_text("→")
    expect(instance_row(page, "demo-5").locator(".tag")).to_have_text("1.1.0")
    assert is_marked(page)
    chosen = {one["id"] for one in demo.instances("billing") if one["host"].startswith(("demo-3:", "demo-4:"))}
    after = {one["id"]: told_version(one) for one in demo.instances("billing")}
    assert after == before | dict.fromkeys(chosen, "1.2.0")
    assert after == {one["id"]: one["version"] for one in demo.instances("billing")}


def test_an_upgrade_from_the_list_of_services_leads_to_its_rollout(page: Page, service: Scripted) -> None:
    page.goto("/services")
    page.get_by_role("link", name=f"Upgrade… {service.name}").click()
    dialog = page.get_by_role("dialog", name=f"Upgrade {service.name}")
    dialog.get_by_role("checkbox", name="demo-4").check()
    dialog.get_by_label("Why").fill("The report of Monday")
    dialog.get_by_role("button", name="Upgrade 1 host to 1.4.0", exact=True).click()

    expect(page).to_have_url(re.compile(r"/rollouts/\d+$"))
    expect(page.get_by_text("The report of Monday")).to_be_visible()
    expect(page.get_by_role("heading", name="Succeeded")).to_be_visible()


def test_every_host_of_a_version_is_upgraded_with_one_tick(page: Page, demo: Tree, service: Scripted) -> None:
    dialog = open_dialog(page, service.id)
    dialog.get_by_role("checkbox", name="Select all free hosts").check()
    dialog.get_by_role("button", name="Upgrade 4 hosts to 1.4.0", exact=True).click()

    expect(dialog).to_be_hidden()
    expect(page.locator("#instances .tag", has_text="1.4.0")).to_have_count(4)
    expect(page.locator("#instances .tag", has_text="1.0.0")).to_have_count(2)
    assert sorted(one["version"] for one in demo.instances(service.name)) == ["1.0.0"] * 2 + ["1.4.0"] * 4

"""Pages that stand open stay true by themselves: lists, filters, a tab that nobody looked at."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.browser.pause import PausedWorker
from tests.browser.scripted import Scripted
from tests.browser.visits import is_marked, mark


def test_the_lists_show_a_rollout_that_somebody_else_starts(
    page: Page, service: Scripted, paused_worker: PausedWorker
) -> None:
    page.goto(f"/services?q={service.name}")
    mark(page)
    other = page.context.new_page()
    other.goto("/rollouts")
    mark(other)
    rollout = service.roll_out("1.2.0", "demo-3")

    row = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name=service.name, exact=True))
    expect(row).to_contain_text("1 waiting")
    expect(row).to_contain_text(f"#{rollout}")
    line = other.get_by_role("row").filter(has=other.get_by_role("rowheader", name=f"#{rollout}", exact=True))
    expect(line).to_contain_text("Waiting for a worker")

    paused_worker.go_on()
    expect(row).to_contain_text("All running")
    expect(line).to_contain_text("Succeeded")
    assert is_marked(page)
    assert is_marked(other)


def test_the_version_filter_knows_what_has_come_to_run(page: Page, service: Scripted) -> None:
    page.goto(f"/services/{service.id}")
    mark(page)
    choice = page.get_by_label("Version", exact=True)
    expect(choice.get_by_role("option", name="1.2.0")).to_have_count(0)
    service.demo.wait_for_rollout(service.roll_out("1.2.0", "demo-3"))
    expect(choice.get_by_role("option", name="1.2.0")).to_have_count(1)
    choice.select_option("1.2.0")
    expect(page.locator("#instances tbody tr")).to_have_count(1)
    assert is_marked(page)


def test_the_address_follows_the_filter(page: Page, service: Scripted) -> None:
    service.break_host("demo-4")
    service.demo.wait_for_rollout(service.roll_out("1.2.0", "demo-4"))
    page.goto(f"/services/{service.id}")
    page.get_by_label("Status", exact=True).select_option("Failed")
    expect(page.locator("#instances tbody tr")).to_have_count(1)
    expect(page).to_have_url(re.compile(rf"/services/{service.id}\?status=failed$"))
    page.reload()
    expect(page.locator("#instances tbody tr")).to_have_count(1)
    expect(page.get_by_label("Status", exact=True)).to_have_value("failed")
    page.get_by_label("Status", exact=True).select_option("Any status")
    expect(page.locator("#instances tbody tr")).to_have_count(6)
    expect(page).to_have_url(re.compile(rf"/services/{service.id}$"))


def test_a_row_that_no_longer_matches_leaves_while_one_looks(page: Page, service: Scripted) -> None:
    page.goto(f"/services/{service.id}?locked=0")
    expect(page.locator("#instances tbody tr")).to_have_count(6)
    service.close_gate()
    service.roll_out("1.2.0", "demo-5")
    expect(page.locator("#instances tbody tr")).to_have_count(5)
    service.open_gate()
    expect(page.locator("#instances tbody tr")).to_have_count(6)


def test_back_leads_to_the_filter_as_it_was(page: Page, service: Scripted) -> None:
    page.goto("/rollouts")
    direction = page.locator("#history-filter select[name=action]")
    direction.select_option("revert")
    expect(page).to_have_url(re.compile("action=revert"))
    page.go_back()
    expect(page).to_have_url(re.compile("/rollouts$"))
    expect(direction).to_have_value("")

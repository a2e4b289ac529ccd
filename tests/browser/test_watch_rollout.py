"""The page of a rollout while it runs, and how it is cancelled."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, Page, expect

from tests.browser.pause import PausedWorker
from tests.browser.scripted import Scripted
from tests.browser.visits import instance_row, is_marked, mark


def headed(page: Page, state: str) -> Locator:
    """The heading of a rollout's page when the rollout is in that state."""
    return page.get_by_role("heading", level=1, name=re.compile(rf"^Rollout #\d+ {state}$"))


def test_steps_and_log_appear_while_it_runs(page: Page, service: Scripted, paused_worker: PausedWorker) -> None:
    service.close_gate()
    page.goto(f"/rollouts/{service.roll_out('1.2.0', 'demo-3', 'demo-4')}")
    mark(page)
    expect(headed(page, "Waiting for a worker")).to_be_visible()
    expect(page.get_by_role("row", name="demo-3")).to_contain_text("Queued")
    log = page.locator("#step-log")
    expect(log).to_contain_text("Nothing has been said yet.")

    paused_worker.go_on()
    expect(headed(page, "Running")).to_be_visible()
    expect(page.get_by_role("row", name="demo-3")).to_contain_text("Running the deploy command")
    expect(log).to_contain_text("Installing 1.2.0.")
    expect(log).not_to_contain_text("1.2.0 is in place.")

    service.open_gate()
    expect(log).to_contain_text("1.2.0 is in place.")
    expect(headed(page, "Succeeded")).to_be_visible()
    expect(page.get_by_text("2 / 2")).to_be_visible()
    expect(page.locator("#poller")).not_to_have_attribute("hx-get", re.compile("."))
    assert is_marked(page)


def test_the_log_of_another_host_is_shown_in_place(page: Page, service: Scripted) -> None:
    rollout = service.roll_out("1.2.0", "demo-3", "demo-4")
    service.demo.wait_for_rollout(rollout)
    page.goto(f"/rollouts/{rollout}")
    mark(page)
    for hostname in ("demo-4", "demo-3"):
        page.get_by_role("link", name=hostname, exact=True).click()
        expect(page.get_by_role("heading", name=f"Log of {hostname}")).to_be_visible()
    assert is_marked(page)


def test_cancelled_before_a_worker_took_it_nothing_happens(
    page: Page, service: Scripted, paused_worker: PausedWorker
) -> None:
    page.goto(f"/rollouts/{service.roll_out('1.2.0', 'demo-3', 'demo-4')}")
    page.get_by_role("button", name="Cancel rollout").click()

    expect(headed(page, "Cancelled")).to_be_visible()
    expect(page.get_by_role("button", name="Cancel rollout")).to_have_count(0)
    page.get_by_role("link", name=service.name).first.click()
    for hostname in ("demo-3", "demo-4"):
        row = instance_row(page, hostname)
        expect(row).to_contain_text("Running")
        expect(row.locator(".tag")).to_have_text("1.1.0")
    assert not any(one["locked"] for one in service.demo.instances(service.name))


def test_cancelled_while_it_runs_it_comes_to_its_end_first(page: Page, service: Scripted) -> None:
    service.close_gate()
    page.goto(f"/rollouts/{service.roll_out('1.2.0', 'demo-3')}")
    expect(page.locator("#step-log")).to_contain_text("Installing 1.2.0.")
    page.get_by_role("button", name="Cancel rollout").click()
    expect(headed(page, "Cancelling")).to_be_visible()
    mark(page)

    service.open_gate()
    expect(page.get_by_role("row", name="demo-3")).to_contain_text("Succeeded")
    expect(page.locator("#poller")).not_to_have_attribute("hx-get", re.compile("."))
    assert is_marked(page)
    told = [one["version"] for one in service.demo.instances(service.name) if one["host"].startswith("demo-3:")]
    assert told == ["1.2.0"]

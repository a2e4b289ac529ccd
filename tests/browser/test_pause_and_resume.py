"""A rollout that is paused: what runs comes to its end, the rest waits until it is resumed."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.browser.scripted import Scripted
from tests.browser.test_watch_rollout import headed
from tests.browser.visits import is_marked, mark


def test_no_further_host_is_started_until_it_is_resumed(page: Page, service: Scripted) -> None:
    service.close_gate()
    page.goto(f"/rollouts/{service.roll_out('1.2.0', 'demo-3', 'demo-4', wave_size='1')}")
    expect(page.get_by_text("2 waves of 1 host")).to_be_visible()
    expect(page.get_by_role("row", name="demo-3")).to_contain_text("Running the deploy command")
    page.get_by_role("button", name="Pause").click()
    expect(headed(page, "Paused")).to_be_visible()
    expect(page.get_by_text("Paused by demo.")).to_be_visible()
    expect(page.get_by_text("1 host is still being worked on.")).to_be_visible()
    expect(page.get_by_role("button", name="Pause")).to_have_count(0)
    mark(page)

    service.open_gate()
    expect(page.get_by_role("row", name="demo-3")).to_contain_text("Succeeded")
    expect(page.get_by_role("rowheader", name="Wave 1 of 2 1 of 1 done")).to_be_visible()
    expect(page.get_by_text("still being worked on")).to_have_count(0)
    expect(page.get_by_role("row", name="demo-4")).to_contain_text("Queued")
    assert is_marked(page)

    page.get_by_role("button", name="Resume").click()
    expect(headed(page, "Succeeded")).to_be_visible()
    expect(page.get_by_role("row", name="demo-4")).to_contain_text("Succeeded")
    expect(page.locator("#poller")).not_to_have_attribute("hx-get", re.compile("."))

"""Failed hosts, tried again once what was wrong with them is mended."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.scripted import Scripted
from tests.browser.test_watch_rollout import headed


def test_the_failed_hosts_are_tried_again_and_only_those(page: Page, service: Scripted) -> None:
    service.break_host("demo-4")
    rollout = service.roll_out("1.2.0", "demo-3", "demo-4")
    assert service.demo.wait_for_rollout(rollout) == "failed"
    service.mend_host("demo-4")
    page.goto(f"/rollouts/{rollout}")
    page.get_by_role("link", name="Retry 1 failed host…").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_have_accessible_name(f"Try failed hosts of rollout #{rollout} again")
    expect(dialog.get_by_role("checkbox", name="demo-")).to_have_count(1)
    dialog.get_by_role("button", name="Try 1 host again", exact=True).click()

    page.wait_for_url(f"**/rollouts/{rollout + 1}")
    expect(headed(page, "Succeeded")).to_be_visible()
    expect(page.locator("#rollout-head")).to_contain_text(f"Retry of#{rollout}")
    expect(page.get_by_role("table").get_by_role("rowheader")).to_have_text(["demo-4 1.1.0 → 1.2.0"])
    page.goto(f"/rollouts/{rollout}")
    expect(page.locator("#rollout-head")).to_contain_text(f"Followed by retry#{rollout + 1}")
    page.goto("/rollouts")
    expect(page.get_by_role("row", name=f"#{rollout + 1}").first).to_contain_text(f"Retry of #{rollout}")

"""Nobody goes back past a version that is marked as one without a way back before they have ticked that they know."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.scripted import Scripted
from tests.browser.visits import instance_row, open_dialog


@pytest.fixture
def marked(service: Scripted) -> Scripted:
    """Its 1.1.0 is marked."""
    versions = {one["version"]: one["id"] for one in service.demo.call(f"/services/{service.id}/versions")}
    path = f"/services/{service.id}/versions/{versions['1.1.0']}/mark"
    service.demo.call(path, {"irreversible": "It drops a column."})
    return service


def refuse_until_ticked(dialog: Locator, button: Locator) -> None:
    """Press the button in vain, then tick and press it."""
    tick = dialog.get_by_role("checkbox", name="I know that hosts may not work any more on a version before 1.1.0")
    expect(button).not_to_have_attribute("aria-disabled", "true")
    button.click()
    expect(tick).to_be_focused()
    expect(dialog).to_be_visible()
    tick.press("Space")
    button.click()


def test_a_revert_past_it_needs_the_tick(page: Page, marked: Scripted) -> None:
    dialog = open_dialog(page, marked.id, "Revert")
    dialog.get_by_role("checkbox", name="demo-3").check()
    button = dialog.get_by_role("button", name="Revert 1 host to 1.0.0", exact=True)
    expect(dialog.get_by_text("1 host goes from 1.1.0 back to 1.0.0.")).to_be_visible()
    refuse_until_ticked(dialog, button)
    expect(dialog).to_be_hidden()
    expect(instance_row(page, "demo-3").locator(".tag")).to_have_text("1.0.0")
    page.locator("#last-rollout").click()
    expect(page.locator("#rollout-head")).to_contain_text("Went back past")


def test_so_does_an_undo(page: Page, marked: Scripted) -> None:
    hosts = marked.host_ids("demo-1", "demo-2")
    rollout = marked.demo.roll_out(marked.name, "1.0.0", "1.1.0", host=hosts)
    marked.demo.wait_for_rollout(rollout)
    page.goto(f"/rollouts/{rollout}")
    page.get_by_role("link", name="Undo…").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Back from 1.1.0 to 1.0.0.")
    dialog.get_by_role("checkbox", name="demo-1").uncheck()
    refuse_until_ticked(dialog, dialog.get_by_role("button", name="Undo 1 host", exact=True))
    page.wait_for_url(lambda url: url.endswith(f"/rollouts/{rollout + 1}"))
    expect(page.locator("#rollout-head .titled")).to_contain_text("1.1.0 → 1.0.0")

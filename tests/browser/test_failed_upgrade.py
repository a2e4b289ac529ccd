"""Upgrades that do not come up: the host goes back, and the pages say why."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.visits import instance_row, is_marked, mark, open_dialog
from tests.demo.tree import Tree, told_version

ATTEMPTS = {
    "unhealthy": ("demo-4", "1.3.0", "Health check failed", "GET /healthz answered 500"),
    "crash": ("demo-5", "1.3.1", "Restart failed", "the setting PAYMENT_GATEWAY_URL is missing"),
}


@pytest.mark.parametrize(("hostname", "label", "reason", "line"), ATTEMPTS.values(), ids=ATTEMPTS)
def test_a_release_that_does_not_come_up_is_told_and_undone(
    page: Page, demo: Tree, hostname: str, label: str, reason: str, line: str
) -> None:
    dialog = open_dialog(page, demo.service("gateway"))
    mark(page)
    dialog.get_by_label("Target version").select_option(str(demo.version("gateway", label)))
    dialog.get_by_role("checkbox", name=hostname).check()
    dialog.get_by_role("button", name=f"Upgrade 1 host to {label}", exact=True).click()

    row = instance_row(page, hostname)
    expect(row).to_contain_text("Upgrade failed", timeout=40_000)
    expect(row.locator(".tag")).to_have_text("1.1.0")
    expect(row).not_to_contain_text("→")
    assert is_marked(page)
    instance = next(one for one in demo.instances("gateway") if one["host"].startswith(f"{hostname}:"))
    assert told_version(instance) == "1.1.0"
    assert (instance["version"], instance["locked"], instance["status_str"]) == ("1.1.0", False, "upgrade_failed")

    row.get_by_role("link", name=re.compile(reason)).click()
    expect(page.get_by_role("heading", name=re.compile(r"Rollout #\d+ Failed"))).to_be_visible()
    step = page.get_by_role("region", name=f"Log of {hostname}")
    expect(step.locator(".alert")).to_contain_text(reason)
    expect(step.locator(".alert")).to_contain_text("The previous release 1.1.0 was restored.")
    expect(step.locator(".alert")).to_contain_text("The host runs 1.1.0.")
    expect(step.locator(".log")).to_contain_text(line)

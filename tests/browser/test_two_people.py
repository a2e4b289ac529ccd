"""Two people at the same service at the same time."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.pause import PausedWorker
from tests.browser.scripted import Scripted
from tests.browser.visits import Visits, instance_row, is_marked, mark, open_dialog, somebody_else
from tests.demo.tree import Tree


@pytest.fixture
def bea(visits: Visits, demo: Tree) -> Page:
    """A window of somebody else, who may roll out."""
    return somebody_else(visits, demo, "bea")


def test_what_one_holds_the_other_sees_at_once(
    page: Page, bea: Page, service: Scripted, paused_worker: PausedWorker
) -> None:
    page.goto(f"/services/{service.id}")
    mark(page)
    hers = open_dialog(bea, service.id)
    hers.get_by_role("checkbox", name="demo-5").check()
    hers.get_by_role("button", name="Upgrade 1 host to 1.4.0").click()
    expect(hers).to_be_hidden()

    row = instance_row(page, "demo-5")
    expect(row).to_contain_text("Queued to upgrade")
    expect(row).to_contain_text(re.compile(r"#\d+ bea → 1\.4\.0"))
    page.get_by_role("link", name="Upgrade…", exact=True).click()
    mine = page.get_by_role("dialog")
    expect(mine.get_by_role("checkbox", name="demo-5")).to_be_disabled()
    expect(mine).to_contain_text("bea is going to upgrade this host to 1.4.0")
    page.keyboard.press("Escape")

    paused_worker.go_on()
    for window in (page, bea):
        expect(instance_row(window, "demo-5").locator(".tag")).to_have_text("1.4.0")
        expect(instance_row(window, "demo-5")).to_contain_text("Running")
    assert is_marked(page)

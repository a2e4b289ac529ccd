"""What is long gives way: a reason of a failure does not push the table of instances out of its page."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.scripted import Scripted
from tests.browser.visits import instance_row


@pytest.mark.parametrize("width", [1440, 1920])
def test_a_long_reason_is_cut_and_the_table_fits(page: Page, service: Scripted, width: int) -> None:
    service.break_host("demo-4")
    service.demo.wait_for_rollout(service.roll_out("1.2.0", "demo-4"))
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(f"/services/{service.id}")
    reason = instance_row(page, "demo-4").locator(".why-bad")
    expect(reason).to_contain_text("This host is broken.")
    reason.evaluate("link => { link.append(' and goes on to say so'.repeat(20)); }")
    assert page.locator(".tablewrap").first.evaluate("wrap => wrap.scrollWidth <= wrap.clientWidth")


def test_a_phone_scrolls_the_table_and_not_the_page(page: Page, still_service: Scripted) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"/services/{still_service.id}")
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    expect(page.get_by_role("columnheader", name="Rollout")).to_be_attached()
    expect(page.get_by_role("columnheader", name="Weight")).to_be_hidden()

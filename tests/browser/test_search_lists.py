"""The lists are searched as one types: the focus stays, the address follows, and what is live stays live."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.scripted import Scripted
from tests.browser.visits import Visits, is_marked, mark


@pytest.mark.parametrize(
    ("path", "field", "text", "shown", "hidden"),
    [
        ("/services", "Filter services", "gatew", "gateway", "billing"),
        ("/hosts", "Filter hosts", "demo-4", "demo-4", "demo-3"),
        ("/people", "Filter people", "nobody-at-all", "Nobody has “nobody-at-all” in their name.", "you"),
        ("/audit", "Text", "no-such-thing", "Nothing that was done matches the filter.", "demo-3"),
        ("/rollouts", "Host", "no-such-host", "No rollout matches the filter.", "#1"),
    ],
)
def test_a_list_is_searched_as_one_types(
    page: Page, service: Scripted, path: str, field: str, text: str, shown: str, hidden: str
) -> None:
    service.demo.wait_for_rollout(service.roll_out("1.2.0", "demo-3"))
    page.goto(path)
    mark(page)
    search = page.get_by_role("searchbox", name=field, exact=True)
    expect(page.locator("#found")).to_contain_text(hidden)
    search.press_sequentially(text, delay=20)

    expect(page.locator("#found")).not_to_contain_text(hidden)
    expect(page.locator("#found")).to_contain_text(shown)
    expect(page).to_have_url(re.compile(rf"{path}\?\w+={text}$"))
    expect(search).to_be_focused()
    expect(search).to_have_value(text)
    search.fill("")
    expect(page).to_have_url(re.compile(f"{path}$"))
    expect(page.locator("#found")).to_contain_text(hidden)
    assert is_marked(page)


def test_what_was_found_stays_live_and_stays_filtered(page: Page, service: Scripted) -> None:
    page.goto("/services")
    page.get_by_role("searchbox", name="Filter services").fill(service.name)
    expect(page.locator("#services tbody tr")).to_have_count(1)
    service.close_gate()
    service.roll_out("1.2.0", "demo-3")
    expect(page.locator("#services")).to_contain_text("1 moving")
    expect(page.locator("#services tbody tr")).to_have_count(1)
    page.get_by_role("link", name="Moving", exact=True).click()
    expect(page).to_have_url(re.compile(rf"q={service.name}&state=moving|state=moving&q={service.name}"))


def test_the_record_is_exported_as_it_is_filtered(page: Page, demo: object) -> None:
    page.goto("/audit")
    clear = page.get_by_role("link", name="Clear", exact=True)
    expect(clear).to_be_hidden()
    page.get_by_role("combobox", name="What was done", exact=True).select_option("record")
    expect(page.get_by_role("link", name="As CSV")).to_have_attribute("href", re.compile("verb=record"))
    expect(clear).to_be_visible()


def test_without_javascript_enter_searches(visits: Visits, service: Scripted) -> None:
    page = visits.signed_in(java_script_enabled=False)
    page.goto("/services")
    page.get_by_role("searchbox", name="Filter services").fill(service.name)
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(rf"/services\?q={service.name}$"))
    expect(page.locator("#services tbody tr")).to_have_count(1)

"""The dialog without a mouse."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.scripted import Scripted
from tests.browser.visits import instance_row, open_dialog


def tab_to(page: Page, wanted: Locator) -> None:
    """Press Tab until ``wanted`` has the focus."""
    for _ in range(40):
        if wanted.evaluate("element => element === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError("the Tab key does not lead there")


def test_an_upgrade_needs_no_mouse(page: Page, service: Scripted) -> None:
    page.goto(f"/services/{service.id}")
    tab_to(page, page.get_by_role("link", name="Upgrade…", exact=True))
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name=f"Upgrade {service.name}")

    expect(dialog.get_by_label("Current version")).to_be_focused()
    tab_to(page, dialog.get_by_label("Target version"))
    page.keyboard.press("ArrowDown")
    tab_to(page, dialog.get_by_role("searchbox", name="Filter hosts"))
    page.keyboard.type("demo-6")
    expect(dialog.get_by_role("checkbox", name="demo-")).to_have_count(1)
    tab_to(page, dialog.get_by_role("checkbox", name="demo-6"))
    page.keyboard.press("Space")
    button = dialog.get_by_role("button", name="Upgrade 1 host to 1.2.0", exact=True)
    tab_to(page, button)
    expect(dialog.get_by_text("1 host goes from 1.1.0 up to 1.2.0.")).to_be_visible()
    expect(button).to_be_focused()
    page.keyboard.press("Enter")

    expect(dialog).to_be_hidden()
    expect(instance_row(page, "demo-6").locator(".tag")).to_have_text("1.2.0")


def test_enter_in_a_field_starts_nothing_and_leads_to_the_button(page: Page, service: Scripted) -> None:
    dialog = open_dialog(page, service.id)
    box = dialog.get_by_role("checkbox", name="demo-3")
    box.check()
    button = dialog.get_by_role("button", name="Upgrade 1 host to 1.4.0", exact=True)
    expect(button).not_to_have_attribute("aria-disabled", "true")
    for field in (box, dialog.get_by_label("Pause after the first wave")):
        field.press("Enter")
        expect(field).to_be_focused()
    for label in ("Why", "Wave size"):
        dialog.get_by_label(label).press("Enter")
        expect(button).to_be_focused()
    expect(dialog).to_be_visible()
    assert service.demo.call(f"/rollouts?service_id={service.id}") == []

    page.keyboard.press("Enter")
    expect(dialog).to_be_hidden()
    (rollout,) = service.demo.call(f"/rollouts?service_id={service.id}")

    service.demo.wait_for_rollout(rollout["id"])
    page.goto(f"/rollouts/{rollout['id']}")
    page.get_by_role("link", name="Undo…").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("checkbox", name="demo-3").press("Enter")
    expect(dialog).to_be_visible()
    assert len(service.demo.call(f"/rollouts?service_id={service.id}")) == 1


def test_escape_closes_it_and_the_focus_returns_to_what_opened_it(page: Page, still_service: Scripted) -> None:
    dialog = open_dialog(page, still_service.id, "Revert")
    dialog.get_by_role("checkbox", name="demo-3").check()
    page.keyboard.press("Escape")

    expect(dialog).to_be_hidden()
    expect(page.get_by_role("link", name="Revert…", exact=True)).to_be_focused()
    assert still_service.demo.call(f"/rollouts?service_id={still_service.id}") == []


@pytest.mark.parametrize("name", ["Close", "Cancel"])
def test_its_own_links_close_it_too(page: Page, still_service: Scripted, name: str) -> None:
    dialog = open_dialog(page, still_service.id)
    address = page.url
    dialog.get_by_role("link", name=name, exact=True).press("Enter")

    expect(dialog).to_be_hidden()
    expect(page.get_by_role("link", name="Upgrade…", exact=True)).to_be_focused()
    assert page.url == address

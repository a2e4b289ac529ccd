"""The dialog's versions: which can be chosen, and how they follow the other choices in place."""

from __future__ import annotations

from playwright.sync_api import Locator, Page, expect

from tests.browser.scripted import Scripted
from tests.browser.visits import is_marked, mark, open_dialog


def offered(dialog: Locator) -> dict[str, bool]:
    """The labels in the dropdown of target versions, newest first, and whether each can be chosen."""
    pairs = dialog.get_by_label("Target version").evaluate(
        "select => [...select.options].map(option => [option.dataset.label, !option.disabled])"
    )
    return dict(pairs)


def test_an_upgrade_offers_newer_versions_only_and_shows_the_others(page: Page, still_service: Scripted) -> None:
    dialog = open_dialog(page, still_service.id)

    assert offered(dialog) == {"1.4.0": True, "1.2.0": True, "1.1.0": False, "1.0.0": False}
    options = dialog.get_by_label("Target version").get_by_role("option")
    expect(options.filter(has_text="1.1.0")).to_contain_text("the current version")
    expect(options.filter(has_text="1.0.0")).to_contain_text("older than the current version")


def test_the_direction_is_switched_in_place(page: Page, still_service: Scripted) -> None:
    dialog = open_dialog(page, still_service.id)
    mark(page)
    address = page.url
    dialog.get_by_label("Why").fill("typed before")
    dialog.get_by_role("link", name="Revert", exact=True).click()

    expect(dialog.get_by_role("heading", name=f"Revert {still_service.name}")).to_be_visible()
    assert offered(dialog) == {"1.4.0": False, "1.2.0": False, "1.1.0": False, "1.0.0": True}
    expect(dialog.get_by_label("Why")).to_have_value("typed before")
    dialog.get_by_role("checkbox", name="demo-3").check()
    expect(dialog.get_by_role("button", name="Revert 1 host to 1.0.0", exact=True)).to_be_enabled()

    dialog.get_by_role("link", name="Upgrade", exact=True).click()
    expect(dialog.get_by_role("heading", name=f"Upgrade {still_service.name}")).to_be_visible()
    assert page.url == address
    assert is_marked(page)


def test_another_current_version_brings_its_own_targets_and_hosts_in_place(page: Page, still_service: Scripted) -> None:
    dialog = open_dialog(page, still_service.id)
    mark(page)
    expect(dialog.get_by_role("checkbox", name="demo-3")).to_be_visible()
    dialog.get_by_label("Current version").select_option(label="1.0.0 (2 hosts)")

    expect(dialog.get_by_role("checkbox", name="demo-1")).to_be_visible()
    expect(dialog.get_by_role("checkbox", name="demo-")).to_have_count(2)
    assert offered(dialog) == {"1.4.0": True, "1.2.0": True, "1.1.0": True, "1.0.0": False}
    assert is_marked(page)


def test_where_no_version_lies_in_the_direction_nothing_can_be_sent(page: Page, still_service: Scripted) -> None:
    dialog = open_dialog(page, still_service.id, "Revert")
    dialog.get_by_label("Current version").select_option(label="1.0.0 (2 hosts)")

    expect(dialog.get_by_role("option", name="No older version has been built successfully")).to_be_attached()
    expect(dialog.get_by_role("button", name="Revert the chosen hosts")).to_be_disabled()

"""The same plan, sent more than once, is one rollout."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.pause import PausedWorker
from tests.browser.scripted import Scripted
from tests.browser.visits import Visits, open_dialog


def started(service: Scripted) -> int:
    """How many rollouts the service has had."""
    return len(service.demo.call(f"/rollouts?service_id={service.id}"))


def test_a_double_click_starts_one_rollout(page: Page, service: Scripted) -> None:
    dialog = open_dialog(page, service.id)
    dialog.get_by_role("checkbox", name="demo-3").check()
    dialog.get_by_role("button", name="Upgrade 1 host to 1.4.0", exact=True).dblclick()

    expect(dialog).to_be_hidden()
    assert started(service) == 1


def test_without_javascript_too(visits: Visits, service: Scripted) -> None:
    plain = visits.signed_in(java_script_enabled=False)
    plain.goto(f"/services/{service.id}/versions/{service.demo.version(service.name, '1.1.0')}/upgrade")
    plain.get_by_role("checkbox", name="demo-3").check()
    plain.get_by_role("button", name="Upgrade the chosen hosts").click()
    plain.get_by_role("button", name="Upgrade 1 host to 1.4.0", exact=True).dblclick()

    expect(plain.get_by_role("heading", name="Rollout #")).to_be_visible()
    assert started(service) == 1


def test_the_same_in_two_tabs_is_one_rollout(page: Page, service: Scripted, paused_worker: PausedWorker) -> None:
    other = page.context.new_page()
    dialogs = [open_dialog(window, service.id) for window in (page, other)]
    for dialog in dialogs:
        dialog.get_by_role("checkbox", name="demo-3").check()
        expect(dialog.get_by_text("1 host goes from 1.1.0 up to 1.4.0.")).to_be_visible()
    for dialog in dialogs:
        dialog.get_by_role("button", name="Upgrade 1 host to 1.4.0", exact=True).click()
        expect(dialog).to_be_hidden()
    assert started(service) == 1

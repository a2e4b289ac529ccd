"""A host that somebody else holds, in the dialog."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.pause import PausedWorker
from tests.browser.scripted import Scripted
from tests.browser.visits import Visits, instance_row, open_dialog


def test_a_locked_host_cannot_be_ticked_and_says_who_holds_it(
    page: Page, service: Scripted, paused_worker: PausedWorker
) -> None:
    rollout = service.roll_out("1.2.0", "demo-5")
    dialog = open_dialog(page, service.id)

    locked = dialog.get_by_role("checkbox", name="demo-5")
    expect(locked).to_be_disabled()
    line = dialog.locator("label").filter(has_text="demo-5")
    expect(line).to_contain_text(f"Rollout #{rollout} demo is going to upgrade this host to 1.2.0")
    dialog.get_by_role("checkbox", name="Select all free hosts").check()
    expect(locked).not_to_be_checked()
    expect(dialog.get_by_role("button", name="Upgrade 3 hosts to 1.4.0", exact=True)).to_be_visible()


def test_a_host_that_was_locked_meanwhile_is_deselected_and_the_rest_can_go(
    page: Page, visits: Visits, service: Scripted, paused_worker: PausedWorker
) -> None:
    visits.provoked.add("status of 409")
    dialog = open_dialog(page, service.id)
    for hostname in ("demo-4", "demo-5"):
        dialog.get_by_role("checkbox", name=hostname).check()
    rollout = service.roll_out("1.2.0", "demo-5")
    dialog.get_by_role("button", name="Upgrade 2 hosts to 1.4.0", exact=True).click()

    expect(dialog.get_by_role("alert")).to_contain_text("The rollout was not started")
    expect(dialog.get_by_role("alert")).to_contain_text("Locked hosts have been deselected")
    expect(dialog.locator("#host-error")).to_contain_text(f"demo-5 (#{rollout} demo: upgrade → 1.2.0")
    expect(dialog.get_by_role("checkbox", name="demo-5")).to_be_disabled()
    expect(dialog.get_by_role("checkbox", name="demo-5")).not_to_be_checked()
    expect(dialog.get_by_role("checkbox", name="demo-4")).to_be_checked()
    assert [one["id"] for one in service.demo.call(f"/rollouts?service_id={service.id}")] == [rollout]

    dialog.get_by_role("button", name="Upgrade 1 host to 1.4.0", exact=True).click()
    expect(dialog).to_be_hidden()
    expect(instance_row(page, "demo-4")).to_contain_text("→ 1.4.0")
    expect(instance_row(page, "demo-5")).to_contain_text("→ 1.2.0")

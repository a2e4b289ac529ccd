"""Somebody else changes something between looking at the plan and sending it."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.scripted import Scripted
from tests.browser.visits import Visits, instance_row, open_dialog


def test_what_changed_is_named_and_the_plan_as_it_is_now_can_be_sent(
    page: Page, visits: Visits, service: Scripted
) -> None:
    visits.provoked.add("status of 409")
    dialog = open_dialog(page, service.id)
    for hostname in ("demo-4", "demo-5"):
        dialog.get_by_role("checkbox", name=hostname).check()
    dialog.get_by_label("Wave size").fill("1")
    dialog.get_by_label("Why").fill("typed before")
    plan = dialog.get_by_role("region", name="What will happen")
    expect(plan).to_contain_text("Wave 2")
    theirs = service.roll_out("1.2.0", "demo-5")
    assert service.demo.wait_for_rollout(theirs) == "succeeded"
    dialog.get_by_role("button", name="Upgrade 2 hosts to 1.4.0", exact=True).click()

    alert = dialog.get_by_role("alert")
    expect(alert).to_be_focused()
    expect(alert).to_contain_text("What would happen now is not what you were shown.")
    expect(alert).to_contain_text("demo-5: It runs 1.2.0 now.")
    expect(alert).to_contain_text("Hosts that do not run 1.1.0 any more have been deselected.")
    assert [one["id"] for one in service.demo.call(f"/rollouts?service_id={service.id}")] == [theirs]
    expect(plan).to_contain_text("1 host goes from 1.1.0 up to 1.4.0.")
    expect(plan).not_to_contain_text("demo-5")
    expect(dialog.get_by_label("Why")).to_have_value("typed before")
    expect(dialog.get_by_label("Wave size")).to_have_value("1")

    dialog.get_by_role("button", name="Upgrade 1 host to 1.4.0", exact=True).click()
    expect(dialog).to_be_hidden()
    expect(instance_row(page, "demo-4").locator(".tag")).to_have_text("1.4.0")
    expect(instance_row(page, "demo-5").locator(".tag")).to_have_text("1.2.0")

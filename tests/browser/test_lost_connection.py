"""A page that loses the server says so, and catches up by itself."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.scripted import Scripted
from tests.browser.visits import Visits, instance_row, is_marked, mark

AWAY = {"net::ERR_INTERNET_DISCONNECTED", "Failed to fetch"}  # what Chromium and HTMX write about it


def test_a_page_says_that_it_reconnects_and_catches_up(page: Page, visits: Visits, service: Scripted) -> None:
    visits.provoked |= AWAY
    page.goto(f"/services/{service.id}")
    mark(page)
    connection = page.get_by_role("status").filter(has_text="Live")
    expect(connection).to_be_visible()

    page.context.set_offline(True)
    expect(page.get_by_role("status").filter(has_text="Reconnecting…")).to_be_visible()
    service.demo.wait_for_rollout(service.roll_out("1.2.0", "demo-3"))
    page.context.set_offline(False)
    expect(connection).to_be_visible()
    expect(instance_row(page, "demo-3").locator(".tag")).to_have_text("1.2.0")
    assert is_marked(page)


def test_the_dialog_says_that_the_server_did_not_answer(page: Page, visits: Visits, still_service: Scripted) -> None:
    visits.provoked |= AWAY
    page.goto(f"/services/{still_service.id}")
    page.context.set_offline(True)
    page.get_by_role("link", name="Upgrade…", exact=True).click()

    expect(page.get_by_role("alert").filter(has_text="The server did not answer.")).to_be_visible()
    page.context.set_offline(False)
    page.get_by_role("link", name="Upgrade…", exact=True).click()
    expect(page.get_by_role("dialog")).to_be_visible()
    expect(page.get_by_text("The server did not answer.")).to_be_hidden()


def test_the_plan_is_asked_for_again_when_the_network_is_back(
    page: Page, visits: Visits, still_service: Scripted
) -> None:
    visits.provoked |= AWAY
    page.goto(f"/services/{still_service.id}")
    page.get_by_role("link", name="Upgrade…", exact=True).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("checkbox", name="demo-3").check()
    plan = dialog.locator("#rollout-plan")
    expect(plan).to_contain_text("demo-3")
    page.context.set_offline(True)
    with page.expect_event("requestfailed"):
        dialog.get_by_role("checkbox", name="demo-4").check()
    expect(plan).not_to_contain_text("demo-4")
    page.context.set_offline(False)
    expect(plan).to_contain_text("demo-4")


def test_what_could_not_be_read_is_told_as_that(page: Page, visits: Visits, service: Scripted) -> None:
    visits.provoked |= AWAY
    rollout = service.roll_out("1.2.0", "demo-3", "demo-4")
    service.demo.wait_for_rollout(rollout)
    page.goto(f"/rollouts/{rollout}")
    page.context.set_offline(True)
    page.get_by_role("link", name="demo-4", exact=True).click()
    flash = page.locator("#flash")
    expect(flash).to_contain_text("This could not be read")
    expect(flash).not_to_contain_text("before you try again")
    page.context.set_offline(False)

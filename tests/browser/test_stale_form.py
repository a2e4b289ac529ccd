"""A dialog stands open while its session ends and another begins, as in another window of the same browser."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.scripted import Scripted
from tests.browser.visits import Visits, instance_row, open_dialog, sign_in


def test_what_was_typed_is_kept_and_sent_once_more(visits: Visits, service: Scripted) -> None:
    visits.provoked |= {"status of 400", "status of 401"}
    page = visits.stranger()
    page.goto("/sign-in")
    user = service.demo.ready["user"], service.demo.ready["password"]
    sign_in(page, *user)
    page.wait_for_url("**/services")
    dialog = open_dialog(page, service.id)
    dialog.get_by_role("checkbox", name="demo-4").check()
    dialog.get_by_label("Why").fill("typed before")
    button = dialog.get_by_role("button", name="Upgrade 1 host to 1.4.0", exact=True)
    expect(button).to_be_enabled()
    other = page.context.new_page()
    other.goto("/hosts")
    other.get_by_role("button", name="Sign out").click()
    sign_in(other, *user)
    other.wait_for_url("**/services")
    other.close()

    button.click()
    expect(page.get_by_role("alert").filter(has_text="What you typed is still here")).to_be_visible()
    expect(dialog.get_by_label("Why")).to_have_value("typed before")
    button.click()
    expect(dialog).to_be_hidden()
    expect(instance_row(page, "demo-4").locator(".tag")).to_have_text("1.4.0")

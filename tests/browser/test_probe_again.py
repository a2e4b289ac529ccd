"""A host whose version is not verified is asked again, and its row says what it answered."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.pause import PausedWorker
from tests.browser.scripted import Scripted
from tests.browser.visits import Visits, instance_row, is_marked, mark


def test_a_host_that_answers_by_now_is_confirmed(page: Page, service: Scripted) -> None:
    service.break_host("demo-3")
    assert service.demo.wait_for_rollout(service.roll_out("1.2.0", "demo-3")) == "failed"
    page.goto(f"/services/{service.id}")
    mark(page)
    row = instance_row(page, "demo-3")
    expect(row).to_contain_text("unverified")
    service.answer("demo-3", "1.2.0")
    worker = PausedWorker(service.demo)
    row.get_by_role("button", name="Probe again").click()
    expect(row).to_contain_text("Asking the host…")
    expect(row.get_by_role("button")).to_have_count(0)

    worker.go_on()
    expect(row.locator(".tag")).to_have_text("1.2.0")
    expect(row).not_to_contain_text("unverified")
    expect(row).not_to_contain_text("Asking")
    expect(row).to_contain_text("Upgrade failed")
    row.get_by_role("button", name="Mark as seen").click()
    expect(row).to_contain_text("Running")
    expect(row.get_by_role("button")).to_have_count(0)
    assert is_marked(page)


def test_a_host_that_was_never_asked_and_does_not_answer_is_unverified(page: Page, service: Scripted) -> None:
    page.goto(f"/services/{service.id}")
    row = instance_row(page, "demo-4")
    expect(row).to_contain_text("recorded")
    row.get_by_role("button", name="Ask the host").click()
    expect(row).to_contain_text("unverified")
    expect(row.get_by_role("button", name="Probe again")).to_be_visible()


def test_a_host_that_is_held_meanwhile_is_not_asked_and_the_row_says_who_holds_it(
    page: Page, visits: Visits, service: Scripted, paused_worker: PausedWorker
) -> None:
    visits.provoked.add("status of 409")
    page.goto(f"/services/{service.id}")
    row = instance_row(page, "demo-5")
    button = row.get_by_role("button", name="Ask the host")
    expect(button).to_be_visible()
    page.route("**/changes?*", lambda route: route.abort())
    visits.provoked.add("ERR_FAILED")
    rollout = service.roll_out("1.2.0", "demo-5")
    button.click()
    expect(page.get_by_role("alert").filter(has_text="The server refused this (409)")).to_be_visible()
    page.unroute("**/changes?*")
    expect(row).to_contain_text(f"#{rollout} demo → 1.2.0")


def test_without_javascript_it_is_a_form(visits: Visits, service: Scripted) -> None:
    page = visits.signed_in(java_script_enabled=False)
    page.goto(f"/services/{service.id}")
    service.answer("demo-6", "1.1.0")
    instance_row(page, "demo-6").get_by_role("button", name="Ask the host").click()
    expect(page).to_have_url(f"{visits.url}/services/{service.id}")
    while any(one["probe_by"] for one in service.demo.instances(service.name)):
        pass
    page.reload()
    expect(instance_row(page, "demo-6")).not_to_contain_text("recorded")
    expect(instance_row(page, "demo-6").get_by_role("button")).to_have_count(0)

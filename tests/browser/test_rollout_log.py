"""The log of a rollout: of all hosts in one, searched, followed and held still while it grows."""

from __future__ import annotations

import contextlib
import re

from playwright.sync_api import Error, Page, Route, expect

from tests.browser.scripted import Scripted
from tests.browser.visits import is_marked, mark


def test_the_logs_of_all_hosts_are_merged_live(page: Page, service: Scripted) -> None:
    service.close_gate()
    rollout = service.roll_out("1.2.0", "demo-3", "demo-4")
    page.goto(f"/rollouts/{rollout}")
    mark(page)
    page.get_by_role("link", name="All hosts", exact=True).click()
    log = page.locator("#step-log")
    lines = log.locator(".line")
    expect(page.get_by_role("heading", name="Log of all hosts")).to_be_visible()
    for hostname in ("demo-3", "demo-4"):
        expect(lines.filter(has_text=re.compile(rf"\d\d:\d\d:\d\d {hostname} Installing 1\.2\.0\."))).to_be_visible()
    service.open_gate()
    for hostname in ("demo-3", "demo-4"):
        expect(lines.filter(has_text=f"{hostname} 1.2.0 is in place.")).to_be_visible()
    assert is_marked(page)

    page.goto(f"/rollouts/{rollout}?log=all")
    expect(log).to_contain_text("1.2.0 is in place.")
    page.get_by_role("searchbox", name="Search the log").fill("demo-4 INSTALLING")
    expect(log.locator(".line:visible")).to_have_count(1)
    expect(page.locator("#log-found")).to_have_text(re.compile(r"^1 of \d+ lines$"))


def test_a_poll_that_was_under_way_does_not_take_back_which_log_was_chosen(page: Page, service: Scripted) -> None:
    service.close_gate()
    rollout = service.roll_out("1.2.0", "demo-3", "demo-4")
    page.goto(f"/rollouts/{rollout}")
    expect(page.locator("#step-log .line").first).to_contain_text("Installing 1.2.0.")
    held: list[Route] = []
    page.route("**/changes?*", lambda route: held.append(route), times=1)  # noqa: PLW0108
    with page.expect_request("**/changes?*"):
        pass
    page.get_by_role("link", name="All hosts", exact=True).click()
    heading = page.get_by_role("heading", name="Log of all hosts")
    expect(heading).to_be_visible()
    service.open_gate()
    service.demo.wait_for_rollout(rollout)
    with contextlib.suppress(Error):  # it was given up
        held[0].continue_()
    for hostname in ("demo-3", "demo-4"):
        expect(page.locator("#step-log .line").filter(has_text=f"{hostname} 1.2.0 is in place.")).to_be_visible()
    expect(heading).to_be_visible()


def test_who_holds_it_still_reads_on_while_it_grows(page: Page, service: Scripted) -> None:
    service.close_gate()
    page.goto(f"/rollouts/{service.roll_out('1.2.0', 'demo-3')}")
    log = page.locator("#step-log")
    expect(log).to_contain_text("Installing 1.2.0.")
    page.get_by_label("Follow").uncheck()
    service.open_gate()
    expect(page.locator("#log-new")).to_have_text(re.compile(r"^[1-9]\d* new lines$"))
    expect(log).not_to_contain_text("is in place")
    page.get_by_label("Follow").check()
    expect(log).to_contain_text("1.2.0 is in place.")
    expect(page.locator("#log-new")).to_have_text("")


def test_the_new_lines_of_a_held_log_are_counted(page: Page, service: Scripted) -> None:
    service.close_gate()
    page.goto(f"/rollouts/{service.roll_out('1.2.0', 'demo-3')}")
    lines = page.locator("#step-log .line")
    expect(page.locator("#step-log")).to_contain_text("Installing 1.2.0.")
    page.get_by_label("Follow").uncheck()
    before = lines.count()
    service.open_gate()
    expect(page.locator("#poller[hx-get]")).to_have_count(0)
    expect(lines).to_have_count(before)
    told = page.locator("#log-new").inner_text()
    page.get_by_label("Follow").check()
    expect(page.locator("#step-log")).to_contain_text("1.2.0 is in place.")
    assert told == f"{lines.count() - before} new lines"


def test_the_chosen_log_is_marked_and_in_the_address(page: Page, service: Scripted) -> None:
    service.close_gate()
    rollout = service.roll_out("1.2.0", "demo-3", "demo-4")
    page.goto(f"/rollouts/{rollout}?page=1")
    chosen = page.locator("a[aria-current=true][id^=log-of-]")
    expect(chosen).to_have_text("demo-3")
    page.get_by_role("link", name="demo-4", exact=True).click()
    expect(page.get_by_role("heading", name="Log of demo-4")).to_be_visible()
    expect(chosen).to_have_text("demo-4")
    expect(page).to_have_url(re.compile(rf"/rollouts/{rollout}\?page=1&step=\d+$"))
    page.reload()
    expect(page.get_by_role("heading", name="Log of demo-4")).to_be_visible()
    expect(chosen).to_have_text("demo-4")
    page.get_by_role("link", name="All hosts", exact=True).click()
    expect(page).to_have_url(re.compile(r"\?page=1&log=all$"))
    expect(chosen).to_have_text("All hosts")
    service.open_gate()
    expect(page.locator("#rollout-head")).to_contain_text("Succeeded")
    expect(chosen).to_have_text("All hosts")


def test_following_ends_on_a_host_that_is_done(page: Page, service: Scripted) -> None:
    service.close_gate()
    rollout = service.roll_out("1.2.0", "demo-3", "demo-4", wave_size="1")
    page.goto(f"/rollouts/{rollout}")
    follow = page.get_by_label("Follow")
    expect(follow).to_be_visible()
    service.break_host("demo-4")
    service.demo.call(f"/rollouts/{rollout}/pause", {})
    service.open_gate()
    expect(page.locator("#step-log")).to_contain_text("1.2.0 is in place.")
    expect(follow).to_be_hidden()
    page.get_by_role("link", name="demo-4", exact=True).click()
    expect(follow).to_be_visible()


def test_the_hosts_of_one_state_are_listed_alone(page: Page, service: Scripted) -> None:
    service.break_host("demo-4")
    rollout = service.roll_out("1.2.0", "demo-3", "demo-4", "demo-5", stop_after="3")
    service.demo.wait_for_rollout(rollout)
    page.goto(f"/rollouts/{rollout}")
    page.get_by_role("link", name="1 Failed", exact=True).click()
    expect(page.get_by_role("table").get_by_role("rowheader")).to_have_text(["demo-4"])
    page.get_by_role("link", name="Show all").click()
    expect(page.get_by_role("table").get_by_role("rowheader")).to_have_text(["demo-3", "demo-4", "demo-5"])

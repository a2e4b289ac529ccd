"""What a page tells outside of its tables: title and icon of the tab, announcements, keys, copies, the language."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.scripted import Scripted
from tests.browser.visits import Visits, open_dialog


def icon(page: Page) -> str:
    return str(
        page.evaluate("() => document.querySelector('link[rel=icon]').href").rpartition("/")[2].partition("?")[0]
    )


def test_title_icon_voice_and_notification_follow_a_rollout(visits: Visits, service: Scripted) -> None:
    page = visits.signed_in(permissions=["notifications"])
    page.add_init_script("""
        window.shown = [];
        window.Notification = class { static permission = "granted"; constructor(text) { window.shown.push(text); } };
    """)
    service.close_gate()
    rollout = service.roll_out("1.2.0", "demo-3")
    page.goto(f"/rollouts/{rollout}")
    expect(page).to_have_title(f"#{rollout} Running 0/1 · {service.name} · Deployer")
    assert icon(page) == "favicon-busy.svg"
    button = page.get_by_role("button", name="Tell me when it ends")
    button.click()
    expect(button).to_have_attribute("aria-pressed", "true")

    service.open_gate()
    expect(page).to_have_title(f"#{rollout} Succeeded · {service.name} · Deployer")
    assert icon(page) == "favicon-ok.svg"
    said = f"Rollout #{rollout}, {service.name} 1.1.0 → 1.2.0: Succeeded"
    expect(page.locator("#announce")).to_have_text(said)
    assert page.evaluate("() => window.shown") == [said]


def test_nobody_is_notified_who_did_not_ask(visits: Visits, service: Scripted) -> None:
    page = visits.signed_in()
    page.add_init_script("window.Notification = class { static permission = 'granted'; constructor() { throw 1; } };")
    service.close_gate()
    page.goto(f"/rollouts/{service.roll_out('1.2.0', 'demo-3')}")
    expect(page.get_by_role("button", name="Tell me when it ends")).to_be_visible()
    service.open_gate()
    expect(page.locator("#announce")).to_contain_text("Succeeded")


def test_the_hosts_of_a_version_are_counted_live(page: Page, service: Scripted) -> None:
    page.goto(f"/services/{service.id}")
    versions = page.locator("#versions li")
    expect(versions.filter(has_text="1.1.0")).to_contain_text("on 4 hosts")
    service.roll_out("1.2.0", "demo-3")
    expect(versions.filter(has_text="1.1.0")).to_contain_text("on 3 hosts")
    expect(versions.filter(has_text="1.2.0")).to_contain_text("on 1 host")


def test_single_keys_lead_around_unless_something_is_typed(page: Page, still_service: Scripted) -> None:
    page.goto(f"/services/{still_service.id}")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    search = page.get_by_role("searchbox")
    expect(search).to_be_focused()
    page.keyboard.type("u?")
    expect(search).to_have_value("u?")
    page.locator("h1").click()
    page.keyboard.press("u")
    expect(page.get_by_role("dialog", name=f"Upgrade {still_service.name}")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    page.keyboard.press("r")
    expect(page).to_have_url(re.compile("/rollouts$"))

    page.keyboard.press("?")
    page.get_by_label("Single keys do this").uncheck()
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_a_dialog_is_sent_from_anywhere_in_it(page: Page, service: Scripted) -> None:
    dialog = open_dialog(page, service.id)
    dialog.get_by_role("checkbox", name="demo-6").check()
    expect(dialog.get_by_text("1 host goes from 1.1.0 up to 1.4.0.")).to_be_visible()
    expect(dialog.locator("#rollout-plan")).to_have_attribute("aria-busy", "false")
    dialog.get_by_label("Why").focus()
    page.keyboard.press("Control+Enter")
    expect(dialog).to_be_hidden()
    expect(page.locator("#last-rollout")).to_be_visible()


def test_an_address_is_copied_whole(visits: Visits, service: Scripted) -> None:
    page = visits.signed_in(permissions=["clipboard-read", "clipboard-write"])
    rollout = service.roll_out("1.2.0", "demo-3")
    page.goto(f"/rollouts/{rollout}")
    page.get_by_role("button", name="Copy the address of this rollout").click()
    expect(page.locator("#announce")).to_have_text("Copied")
    assert page.evaluate("() => navigator.clipboard.readText()") == f"{visits.url}/rollouts/{rollout}"


@pytest.mark.parametrize("script", [True, False], ids=["with JavaScript", "without"])
def test_the_language_is_switched_in_place(visits: Visits, still_service: Scripted, script: bool) -> None:
    page = visits.signed_in(java_script_enabled=script)
    page.goto(f"/services/{still_service.id}?q=demo-2")
    page.get_by_role("button", name="中文").click()
    expect(page.get_by_role("link", name="升级…", exact=True)).to_be_visible()
    expect(page).to_have_url(re.compile(r"\?q=demo-2$"))
    page.get_by_role("button", name="English").click()
    expect(page.get_by_role("link", name="Upgrade…", exact=True)).to_be_visible()


def test_times_are_told_in_the_viewers_zone(visits: Visits, still_service: Scripted) -> None:
    page = visits.signed_in(timezone_id="Asia/Tokyo")
    page.goto(f"/services/{still_service.id}")
    time = page.locator("#instances time").first
    expect(time).to_have_attribute("title", re.compile("UTC$"))
    time.hover()
    expect(time).to_have_attribute("title", re.compile(r"GMT\+9$|JST$"))
    expect(page.get_by_text("Times are in your own zone: Asia/Tokyo")).to_be_visible()


def test_a_browser_without_a_network_says_so_and_goes_on(visits: Visits, still_service: Scripted) -> None:
    visits.provoked.add("ERR_INTERNET_DISCONNECTED")
    page = visits.signed_in()
    page.goto(f"/services/{still_service.id}")
    told = page.get_by_text("This browser is offline")
    expect(told).to_be_hidden()
    page.context.set_offline(True)
    expect(told).to_be_visible()
    page.context.set_offline(False)
    expect(told).to_be_hidden()

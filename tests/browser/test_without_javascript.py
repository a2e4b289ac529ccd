"""The main job with JavaScript switched off: whole pages, the same addresses."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.scripted import Scripted
from tests.browser.visits import Visits, sign_in
from tests.demo.tree import Tree, told_version


@pytest.fixture
def plain(visits: Visits) -> Page:
    """A window of the demo's user, without JavaScript."""
    return visits.signed_in(java_script_enabled=False)


def test_from_signing_in_to_the_new_version(visits: Visits, demo: Tree) -> None:
    page = visits.stranger(java_script_enabled=False)
    page.goto("/")
    sign_in(page, demo.ready["user"], demo.ready["password"])
    page.get_by_role("link", name="catalog", exact=True).click()
    page.get_by_role("link", name="Upgrade…", exact=True).click()
    expect(page.get_by_role("heading", name="Upgrade catalog")).to_be_visible()
    page.get_by_label("Target version").select_option(str(demo.version("catalog", "1.2.0")))
    page.get_by_role("checkbox", name="demo-4").check()
    page.get_by_role("button", name="Upgrade the chosen hosts").click()
    expect(page.get_by_role("status").filter(has_text="Review what will happen")).to_be_visible()
    expect(page.get_by_role("region", name="What will happen")).to_contain_text("demo-4 1.1.0 → 1.2.0")
    page.get_by_role("button", name="Upgrade 1 host to 1.2.0", exact=True).click()

    expect(page).to_have_url(re.compile(r"/rollouts/\d+$"))
    assert demo.wait_for_rollout(int(page.url.rpartition("/")[2])) == "succeeded"
    page.reload()
    expect(page.get_by_role("heading", name="Succeeded")).to_be_visible()
    told = {one["host"].split(":")[0]: told_version(one) for one in demo.instances("catalog")}
    assert told["demo-4"] == "1.2.0"
    assert told["demo-2"] == told["demo-3"] == "1.1.0"


def test_current_version_and_filter_lead_to_whole_pages(plain: Page, service: Scripted) -> None:
    plain.goto(f"/services/{service.id}")
    plain.get_by_role("link", name="Revert…", exact=True).click()
    plain.get_by_role("link", name="Upgrade", exact=True).click()
    plain.get_by_label("Current version").select_option(label="1.0.0 (2 hosts)")
    plain.get_by_role("button", name="Show").click()
    expect(plain.get_by_role("heading", name=f"Upgrade {service.name}")).to_be_visible()
    expect(plain.get_by_role("checkbox", name="demo-")).to_have_count(2)

    plain.get_by_role("searchbox", name="Filter hosts").fill("demo-2")
    plain.get_by_role("button", name="Filter").click()
    expect(plain.get_by_role("checkbox", name="demo-")).to_have_count(1)
    expect(plain.get_by_label("Current version")).to_have_value(str(service.demo.version(service.name, "1.0.0")))


def test_every_host_is_one_tick(plain: Page, service: Scripted) -> None:
    plain.goto(f"/services/{service.id}/versions/{service.demo.version(service.name, '1.0.0')}/upgrade")
    plain.get_by_role("checkbox", name="All 2 hosts on 1.0.0").check()
    plain.get_by_label("Wave size").fill("1")
    plain.get_by_role("button", name="Upgrade the chosen hosts").click()
    plain.get_by_role("button", name="Upgrade 2 hosts to 1.4.0", exact=True).click()

    expect(plain.locator("tr[id^=step-] th")).to_have_text(["demo-1", "demo-2"])


def test_a_change_of_mind_after_the_review_is_reviewed_too(plain: Page, service: Scripted) -> None:
    plain.goto(f"/services/{service.id}/versions/{service.demo.version(service.name, '1.1.0')}/upgrade")
    plain.get_by_role("checkbox", name="demo-3").check()
    plain.get_by_role("button", name="Upgrade the chosen hosts").click()
    plain.get_by_role("checkbox", name="demo-4").check()
    plain.get_by_role("button", name="Upgrade 1 host to 1.4.0", exact=True).click()

    expect(plain.get_by_role("status").filter(has_text="Review what will happen")).to_be_visible()
    assert service.demo.call(f"/rollouts?service_id={service.id}") == []
    plain.get_by_role("button", name="Upgrade 2 hosts to 1.4.0", exact=True).click()
    expect(plain).to_have_url(re.compile(r"/rollouts/\d+$"))


def test_a_refusal_is_a_page_with_what_was_typed(plain: Page, visits: Visits, service: Scripted) -> None:
    visits.provoked.add("status of 422")
    plain.goto(f"/services/{service.id}")
    plain.get_by_role("link", name="Upgrade…", exact=True).click()
    plain.get_by_label("Target version").select_option(label="1.2.0")
    plain.get_by_label("Why").fill("typed before")
    plain.get_by_role("button", name="Upgrade the chosen hosts").click()

    expect(plain.get_by_role("alert")).to_contain_text("The rollout was not started")
    expect(plain.get_by_label("Why")).to_have_value("typed before")
    expect(plain.get_by_label("Target version")).to_have_value(str(service.demo.version(service.name, "1.2.0")))


def test_a_rollout_is_cancelled(plain: Page, service: Scripted) -> None:
    service.close_gate()
    plain.goto(f"/rollouts/{service.roll_out('1.2.0', 'demo-3')}")
    plain.get_by_role("button", name="Cancel rollout").click()

    expect(plain.get_by_role("heading", name=re.compile("Cancelling|Cancelled"))).to_be_visible()

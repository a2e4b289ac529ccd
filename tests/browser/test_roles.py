"""A role that is given or taken away shows on pages that stand open, without a hand on them."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.scripted import Scripted
from tests.browser.test_accessibility import violations
from tests.browser.visits import Visits, somebody_else
from tests.demo.tree import Tree


@pytest.fixture
def vera(visits: Visits, demo: Tree) -> Page:
    """A window of somebody who looks."""
    return somebody_else(visits, demo, "vera", "--role", "viewer")


def test_a_role_that_an_administrator_gives_shows_on_the_other_ones_open_page(
    page: Page, vera: Page, visits: Visits, demo: Tree, still_service: Scripted
) -> None:
    visits.provoked = {"status of 404"}
    vera.goto(f"/services/{still_service.id}")
    expect(vera.locator("#service-actions")).to_contain_text("To upgrade or revert it, ask")
    expect(vera.locator("#upgrade")).to_have_count(0)

    page.goto("/people")
    page.get_by_role("row", name="vera").get_by_role("link", name="Roles…").click()
    page.get_by_label("Service", exact=True).select_option(still_service.name)
    page.get_by_label("Role", exact=True).select_option("deployer")
    page.get_by_role("button", name="Give this role").click()
    expect(page.get_by_role("button", name=f"Take away {still_service.name}")).to_be_visible()
    assert violations(page) == []
    expect(vera.locator("#upgrade")).to_be_visible()

    page.get_by_role("button", name=f"Take away {still_service.name}").click()
    page.get_by_label("Role for all services").select_option("none")
    page.get_by_role("button", name="Save role").click()
    expect(vera.get_by_role("heading", name="No such resource.")).to_be_visible()

    page.get_by_role("link", name="Audit").click()
    expect(page.locator("tbody tr").first).to_contain_text("vera was not allowed to look")
    page.get_by_label("What it was done to").select_option("user")
    page.wait_for_url("**/audit?noun=user")
    expect(page.locator("tbody tr").first).to_contain_text("gave vera another role")
    assert violations(page) == []

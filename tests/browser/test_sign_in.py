"""Signing in and out."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.browser.visits import Visits, sign_in
from tests.demo.tree import Tree


def test_a_wrong_password_is_told_and_opens_nothing(visits: Visits) -> None:
    visits.provoked.add("status of 422")
    page = visits.stranger()
    page.goto("/services")
    sign_in(page, "demo", "not the password")

    expect(page.get_by_role("alert")).to_contain_text("The name or the password is wrong.")
    expect(page.get_by_label("Name")).to_have_value("demo")
    expect(page.get_by_label("Password")).to_have_value("")
    page.goto("/services")
    expect(page).to_have_url(re.compile("/sign-in"))


def test_the_right_password_leads_to_the_services(visits: Visits, demo: Tree) -> None:
    page = visits.stranger()
    page.goto("/")
    sign_in(page, demo.ready["user"], demo.ready["password"])

    expect(page).to_have_url(re.compile("/services$"))
    for name in ("billing", "catalog", "gateway"):
        expect(page.get_by_role("link", name=name, exact=True)).to_be_visible()


def test_signing_in_leads_to_the_page_that_was_asked_for(visits: Visits, demo: Tree) -> None:
    page = visits.stranger()
    path = f"/services/{demo.service('billing')}?q=demo-2"
    page.goto(path)
    sign_in(page, demo.ready["user"], demo.ready["password"])

    expect(page).to_have_url(f"{demo.ready['url']}{path}")
    expect(page.locator("#instances tbody").get_by_role("row")).to_have_count(1)


def test_after_signing_out_no_page_opens(visits: Visits, demo: Tree) -> None:
    page = visits.stranger()
    page.goto("/hosts")
    sign_in(page, demo.ready["user"], demo.ready["password"])
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()

    page.goto("/hosts")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_a_page_that_stood_open_says_that_one_is_no_longer_signed_in(page: Page, visits: Visits, demo: Tree) -> None:
    visits.provoked.add("status of 401")
    path = f"/services/{demo.service('billing')}"
    page.goto(path)
    page.context.clear_cookies()

    banner = page.get_by_role("alert").filter(has_text="You are no longer signed in")
    expect(banner).to_be_visible()
    banner.get_by_role("link", name="Sign in").click()
    sign_in(page, demo.ready["user"], demo.ready["password"])
    expect(page).to_have_url(f"{demo.ready['url']}{path}")

"""The browser windows of one test, and what went wrong in any of them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, WebError, expect

from tests.browser.chromium import PATIENCE
from tests.demo.tree import Tree

PASSWORD = "correct horse battery"


@dataclass
class Visits:
    """Windows on the console at ``url``; each is a person's own, with cookies of its own."""

    browser: Browser
    url: str
    session: Any  # the cookies of somebody who is signed in
    provoked: set[str] = field(default_factory=set)  # parts of console errors that the test brings about on purpose
    _contexts: list[BrowserContext] = field(default_factory=list)
    _errors: list[str] = field(default_factory=list)

    def signed_in(self, **options: Any) -> Page:
        """A window of the demo's user."""
        return self.stranger(storage_state=self.session, **options)

    def stranger(self, **options: Any) -> Page:
        """A window of somebody who is not signed in."""
        options = {"viewport": {"width": 1440, "height": 900}, "locale": "en-GB", **options}
        context = self.browser.new_context(base_url=self.url, **options)
        context.set_default_timeout(PATIENCE)
        context.on("console", self._hear)
        context.on("weberror", self._catch)
        self._contexts.append(context)
        return context.new_page()

    def close(self) -> list[str]:
        """Close all of them: the errors that nobody provoked."""
        for context in self._contexts:
            for page in context.pages:
                page.title()  # an answer that comes after every message before it
        errors = [error for error in self._errors if not any(part in error for part in self.provoked)]
        for context in self._contexts:
            context.close()
        self._contexts.clear()
        return errors

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "assert"):
            self._errors.append(f"{message.text} ({message.location['url']})")

    def _catch(self, error: WebError) -> None:
        self._errors.append(f"uncaught: {error.error}")


def sign_in(page: Page, user: str, password: str) -> None:
    """Fill in the sign-in form that the window shows, and send it."""
    page.get_by_label("Name").fill(user)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def somebody_else(visits: Visits, demo: Tree, name: str, *options: str) -> Page:
    """Add a person to the demo, with the ``options`` of the command; their window, signed in."""
    subprocess.run(
        [sys.executable, "-m", "deployer", "user", "create", name, *options, "--password-stdin"],
        input=PASSWORD,
        env={**os.environ, "DEPLOYER_HOME": str(demo.home)},
        check=True,
        capture_output=True,
        text=True,
    )
    page = visits.stranger()
    page.goto("/sign-in")
    sign_in(page, name, PASSWORD)
    page.wait_for_url("**/services")
    return page


def instance_row(page: Page, hostname: str) -> Locator:
    """The row of a host on the page of a service."""
    header = page.get_by_role("rowheader", name=hostname, exact=True)
    return page.locator("#instances").get_by_role("row").filter(has=header)


def open_dialog(page: Page, service_id: int, action: str = "Upgrade") -> Locator:
    """The page of a service with its dialog open."""
    page.goto(f"/services/{service_id}")
    page.get_by_role("link", name=f"{action}…", exact=True).click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_have_accessible_name(re.compile(f"^{action} "))
    return dialog


def mark(page: Page) -> None:
    """Put something on the page that no reload survives."""
    page.evaluate("() => { window.marked = true }")


def is_marked(page: Page) -> bool:
    """Whether it is still the page that was marked."""
    return bool(page.evaluate("() => window.marked === true"))

"""A running demo and a browser, both for as long as tests of this folder run; windows are each test's own.

They end with the folder and not with the session: while Playwright runs, no other test could start an event loop.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.chromium import launched, missing_chromium
from tests.browser.pause import PausedWorker
from tests.browser.scripted import Scripted
from tests.browser.visits import Visits, sign_in
from tests.conftest import need
from tests.demo.tree import Tree


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Headless Chromium."""
    need(missing_chromium())
    with launched() as found:
        yield found


@pytest.fixture(scope="package")
def demo(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tree]:
    """The demo, with its fleet of real services. Tests use different hosts of them, or services of their own."""
    tree = Tree.grown(tmp_path_factory.mktemp("demo") / "home")
    yield tree
    tree.stop()
    tree.fell()


@pytest.fixture(scope="package")
def session(browser: Browser, demo: Tree) -> Any:
    """The cookies of the demo's user, who signed in once."""
    with browser.new_context(base_url=demo.ready["url"]) as context:
        page = context.new_page()
        page.goto("/sign-in")
        sign_in(page, demo.ready["user"], demo.ready["password"])
        page.wait_for_url("**/services")
        return context.storage_state()


@pytest.fixture
def visits(browser: Browser, demo: Tree, session: Any) -> Iterator[Visits]:
    """Windows on the demo. The test fails on every console error that it did not announce in ``visits.provoked``."""
    windows = Visits(browser, demo.ready["url"], session)
    yield windows
    assert windows.close() == []


@pytest.fixture
def page(visits: Visits) -> Page:
    """A window of the demo's user."""
    return visits.signed_in()


@pytest.fixture(scope="package")
def still_service(demo: Tree) -> Scripted:
    """A service for tests that look at it and change nothing."""
    return Scripted.add(demo)


@pytest.fixture
def service(demo: Tree) -> Iterator[Scripted]:
    """A service of the test's own."""
    added = Scripted.add(demo)
    yield added
    added.open_gate()


@pytest.fixture
def paused_worker(demo: Tree) -> Iterator[PausedWorker]:
    """Until the test lets it go on, every rollout waits."""
    worker = PausedWorker(demo)
    yield worker
    worker.go_on()

"""No worker is alive: the pages on which somebody waits for one say so and what to do, and stop when one comes."""

from __future__ import annotations

import sqlite3

from playwright.sync_api import Page, expect

from tests.browser.pause import PausedWorker
from tests.browser.scripted import Scripted
from tests.browser.test_watch_rollout import headed
from tests.browser.visits import is_marked, mark

WORDS = "No worker is alive, so nothing goes on."


def forget_workers(service: Scripted) -> None:
    """As if none had said for a while that it lives."""
    database = sqlite3.connect(service.demo.home / "deployer.db", timeout=30, isolation_level=None)
    database.execute("DELETE FROM worker")
    database.close()


def test_it_is_said_as_long_as_it_is_true(page: Page, service: Scripted, paused_worker: PausedWorker) -> None:
    rollout = service.roll_out("1.2.0", "demo-3")
    page.goto(f"/rollouts/{rollout}")
    mark(page)
    expect(headed(page, "Waiting for a worker")).to_be_visible()
    expect(page.get_by_text(WORDS)).to_have_count(0)
    other = page.context.new_page()
    other.goto(f"/services/{service.id}")
    mark(other)
    forget_workers(service)
    for window in (page, other):
        expect(window.get_by_role("alert").filter(has_text=WORDS)).to_contain_text("deployer worker")

    paused_worker.go_on()
    for window in (page, other):
        expect(window.get_by_text(WORDS)).to_have_count(0)
        assert is_marked(window)
    expect(headed(page, "Succeeded")).to_be_visible()

"""A revert, started from a row of version management."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.browser.pause import PausedWorker
from tests.browser.scripted import Scripted
from tests.browser.visits import instance_row, is_marked, mark
from tests.demo.tree import Tree, told_version


def test_a_host_is_reverted_from_a_row_of_version_management(
    page: Page, demo: Tree, paused_worker: PausedWorker
) -> None:
    before = {one["host"]: told_version(one) for one in demo.instances("catalog")}
    page.goto(f"/services/{demo.service('catalog')}")
    mark(page)
    page.get_by_role("link", name="Version management…").click()
    versions = page.get_by_role("dialog", name="Versions of catalog")
    versions.get_by_role("link", name="Revert… 1.1.0").click()
    dialog = page.get_by_role("dialog", name="Revert catalog")
    expect(dialog.get_by_label("Current version")).to_have_value(str(demo.version("catalog", "1.1.0")))
    dialog.get_by_role("checkbox", name="demo-1").check()
    dialog.get_by_role("button", name="Revert 1 host to 1.0.0", exact=True).click()

    expect(dialog).to_be_hidden()
    row = instance_row(page, "demo-1")
    expect(row).to_contain_text("Queued to revert")
    expect(row).to_contain_text(re.compile(r"#\d+ demo → 1\.0\.0"))
    paused_worker.go_on()
    expect(row).to_contain_text("Running")
    expect(row.locator(".tag")).to_have_text("1.0.0")
    assert is_marked(page)
    after = {one["host"]: told_version(one) for one in demo.instances("catalog")}
    assert {host: version for host, version in after.items() if version != before[host]} == {
        next(host for host in after if host.startswith("demo-1:")): "1.0.0"
    }


def test_only_from_a_version_that_runs_somewhere_a_change_can_start(page: Page, still_service: Scripted) -> None:
    page.goto(f"/services/{still_service.id}")
    page.get_by_role("link", name="Version management…").click()
    versions = page.get_by_role("dialog", name=f"Versions of {still_service.name}")

    expect(versions.get_by_role("link", name="Upgrade…")).to_have_count(2)
    for label in ("1.0.0", "1.1.0"):
        expect(versions.get_by_role("link", name=f"Upgrade… {label}")).to_be_visible()
        expect(versions.get_by_role("link", name=f"Revert… {label}")).to_be_visible()
    expect(versions.get_by_role("row").filter(has_text="1.3.0")).to_contain_text("Build failed")

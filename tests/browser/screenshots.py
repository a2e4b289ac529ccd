"""`make screenshots`: every page, in light and dark, wide and narrow, and the pictures of the README."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sqlite3
import sys
import tempfile
from pathlib import Path

import click
from playwright.sync_api import Page, expect

from tests.browser.chromium import launched, missing_chromium
from tests.browser.pause import PausedWorker, workers
from tests.browser.scripted import Scripted
from tests.browser.visits import Visits, instance_row, open_dialog, sign_in
from tests.demo.tree import Tree

ROOT = Path(__file__).resolve().parents[2]
EVERYTHING = ROOT / "screenshots"
README = ROOT / "docs" / "images"
SCHEMES = ("light", "dark")
SIZES = {1440: 900, 390: 844}


def shoot(page: Page, name: str, *, whole: bool = True) -> None:
    """What the window shows now, in all schemes and sizes; ``whole`` with what is below the fold."""
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        for width, height in SIZES.items():
            page.set_viewport_size({"width": width, "height": height})
            # Playwright would hide the caret with a style of its own, which the page's policy forbids.
            page.screenshot(path=EVERYTHING / f"{name}-{scheme}-{width}.png", full_page=whole, caret="initial")
    page.emulate_media(color_scheme="light")
    page.set_viewport_size({"width": 1440, "height": 900})
    click.echo(f"  {name}")


def picture(page: Page, name: str, height: int) -> None:
    """A picture for the README: the upper part of the window."""
    README.mkdir(exist_ok=True)
    width = page.evaluate("() => document.body.offsetWidth")  # without the place that is kept for a scroll bar
    clip = {"x": 0, "y": 0, "width": width, "height": height}
    page.screenshot(path=README / f"{name}.png", clip=clip, caret="initial")
    click.echo(f"  docs/images/{name}.png")


def host_id(demo: Tree, service: str, hostname: str) -> str:
    """The id of a host on which the service runs."""
    return next(str(one["host_id"]) for one in demo.instances(service) if one["host"].startswith(f"{hostname}:"))


def stop_and_go(demo: Tree, number: signal.Signals) -> None:
    """Freeze the worker in the middle of its work, or let it go on."""
    for pid in workers(demo):
        os.kill(pid, number)


def shoot_entrance(page: Page, demo: Tree) -> None:
    """The sign-in, which is then used."""
    page.goto("/sign-in")
    shoot(page, "sign-in")
    sign_in(page, demo.ready["user"], demo.ready["password"])
    page.wait_for_url("**/services")


def shoot_rollout(page: Page, demo: Tree) -> None:
    """A rollout that will fail, in the middle and at its end."""
    rollout = demo.roll_out("gateway", "1.1.0", "1.3.0")
    page.goto(f"/rollouts/{rollout}")
    expect(page.locator("#step-log")).to_contain_text("answered 500")
    stop_and_go(demo, signal.SIGSTOP)
    shoot(page, "rollout-live")
    stop_and_go(demo, signal.SIGCONT)
    demo.wait_for_rollout(rollout)
    page.goto(f"/rollouts/{rollout}")
    shoot(page, "rollout-failed")


def shoot_refusal(page: Page, demo: Tree) -> int:
    """The dialog after a host was locked by the rollout that is returned, which waits no longer then but runs."""
    worker = PausedWorker(demo)
    dialog = open_dialog(page, demo.service("billing"))
    for hostname in ("demo-3", "demo-5"):
        dialog.get_by_role("checkbox", name=hostname).check()
    rollout = demo.roll_out("billing", "1.1.0", "1.4.0", host=host_id(demo, "billing", "demo-5"))
    dialog.get_by_role("button", name="Upgrade 2 hosts").click()
    expect(dialog.get_by_role("alert")).to_be_visible()
    shoot(page, "dialog-error", whole=False)
    worker.go_on()
    return rollout


def shoot_service(page: Page, demo: Tree) -> None:
    """A service while one of its hosts is being upgraded, and its dialogs."""
    service = demo.service("billing")
    page.goto(f"/services/{service}")
    expect(instance_row(page, "demo-5")).to_contain_text("Upgrading")
    shoot(page, "service")
    picture(page, "service", 760)
    page.get_by_role("link", name="Version management…").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    shoot(page, "versions", whole=False)
    dialog = open_dialog(page, service)
    dialog.get_by_label("Why").fill("Reminders for unpaid invoices")
    for hostname in ("demo-3", "demo-4"):
        dialog.get_by_role("checkbox", name=hostname).check()
    dialog.get_by_label("Wave size").fill("1")
    dialog.get_by_label("Pause after the first wave").check()
    dialog.get_by_label("On failure").select_option("undo")
    expect(dialog.get_by_text("It waits here.")).to_be_visible()
    expect(dialog.get_by_text("Wave 2")).to_be_visible()
    shoot(page, "dialog", whole=False)
    picture(page, "dialog", 900)


def shoot_lists_and_forms(page: Page, demo: Tree) -> None:
    """Everything that needs no preparation."""
    service = f"/services/{demo.service('billing')}"
    version = f"{service}/versions/{demo.version('billing', '1.1.0')}"
    for name, path in {
        "services": "/services",
        "services-none-found": "/services?q=nothing",
        "rollouts": "/rollouts",
        "rollouts-filtered": "/rollouts?ending=failed&host=demo",
        "rollouts-none-found": "/rollouts?by=nobody",
        "people": "/people",
        "tokens": "/people/me",
        "hosts": "/hosts",
        "add-service": "/services/new",
        "add-host": "/hosts/new",
        "host": f"/hosts/{host_id(demo, 'billing', 'demo-3')}",
        "import-hosts": "/hosts/import",
        "credentials": "/credentials",
        "add-credential": "/credentials/new",
        "add-version": f"{service}/versions/new",
        "build": f"{version}/build",
        "record-instance": f"{service}/instances/new",
        "dialog-as-page": f"{version}/upgrade",
        "versions-as-page": f"{service}/versions",
        "not-found": "/services/999999",
    }.items():
        page.goto(path)
        shoot(page, name)
    page.goto("/hosts/new")
    for label, text in {"Name": "-web", "Address": "300.1.1.1", "Directory of its services": "srv"}.items():
        page.get_by_label(label, exact=True).fill(text)
    page.get_by_role("button", name="Add host").click()
    shoot(page, "add-host-refused")


def shoot_follow_ups(page: Page, demo: Tree) -> None:
    """A rollout that waits at its gate after a host failed, and what can be done there; a host that is not verified."""
    service = Scripted.add(demo, "reports", "Nightly reports")
    service.break_host("demo-4")
    rollout = service.roll_out(
        "1.2.0", *(f"demo-{n}" for n in range(3, 7)), wave_size="2", stop_after="2", pause_after_first="true"
    )
    page.goto(f"/rollouts/{rollout}")
    for name, words in {"dialog-continue": "Continue…", "dialog-undo": "Undo…"}.items():
        page.get_by_role("link", name=words).click()
        expect(page.get_by_role("dialog")).to_be_visible()
        shoot(page, name, whole=False)
        page.keyboard.press("Escape")
    shoot(page, "rollout-gate")
    page.goto(f"/rollouts/{rollout}?log=all")
    shoot(page, "rollout-log-of-all")
    page.keyboard.press("?")
    shoot(page, "keyboard", whole=False)
    page.keyboard.press("Escape")
    page.goto(f"/services/{service.id}")
    shoot(page, "service-unverified")
    page.goto(f"/rollouts/{rollout}/undo")
    page.get_by_role("button", name="Undo 2 hosts").click()
    page.wait_for_url(f"**/rollouts/{rollout + 1}")
    demo.wait_for_rollout(rollout + 1)
    page.reload()
    shoot(page, "rollout-undo")
    page.get_by_role("link", name="Retry 1 failed host…").click()
    shoot(page, "dialog-retry", whole=False)


def shoot_no_way_back(page: Page, demo: Tree) -> None:
    """A revert past a version that is marked, and what else the dialog compares."""
    version = f"/services/{demo.service('catalog')}/versions/{demo.version('catalog', '1.1.0')}"
    demo.call(f"{version}/mark", {"irreversible": "Its migration drops the column that 1.0.0 reads."})
    page.goto(f"{version}/build")
    shoot(page, "build-marked")
    page.goto(f"/services/{demo.service('catalog')}")
    page.get_by_role("link", name="Revert…", exact=True).click()
    expect(page.get_by_role("dialog")).to_contain_text("cannot be reverted past")
    shoot(page, "dialog-no-way-back", whole=False)


def shoot_in_chinese(page: Page, demo: Tree) -> None:
    """The pages that people look at most."""
    page.goto("/services")
    page.get_by_role("button", name="中文").click()
    shoot(page, "zh-services")
    service = f"/services/{demo.service('billing')}"
    for name, path in {
        "zh-service": service,
        "zh-rollouts": "/rollouts",
        "zh-rollout": "/rollouts/1",
        "zh-dialog": f"{service}/versions/{demo.version('billing', '1.1.0')}/upgrade",
        "zh-hosts": "/hosts",
        "zh-tokens": "/people/me",
    }.items():
        page.goto(path)
        shoot(page, name)
    page.get_by_role("button", name="English").click()


def shoot_no_worker(page: Page, demo: Tree) -> None:
    """A rollout for which nobody is there."""
    worker = PausedWorker(demo)
    rollout = demo.roll_out("billing", "1.1.0", "1.4.0", host=host_id(demo, "billing", "demo-3"))
    with contextlib.closing(sqlite3.connect(demo.home / "deployer.db", timeout=30, isolation_level=None)) as database:
        database.execute("DELETE FROM worker")
    page.goto(f"/rollouts/{rollout}")
    shoot(page, "no-worker")
    worker.go_on()
    demo.wait_for_rollout(rollout)


def main() -> None:
    """Take all of them, on a demo of their own."""
    reason = missing_chromium()
    if reason:
        sys.exit(reason)
    shutil.rmtree(EVERYTHING, ignore_errors=True)
    with tempfile.TemporaryDirectory() as directory, launched() as browser:
        demo = Tree.grown(Path(directory) / "home")
        try:
            page = Visits(browser, demo.ready["url"], None).stranger()
            shoot_entrance(page, demo)
            demo.wait_for_rollout(demo.roll_out("billing", "1.0.0", "1.2.0", host=host_id(demo, "billing", "demo-1")))
            demo.wait_for_rollout(demo.roll_out("billing", "1.1.0", "1.3.1", host=host_id(demo, "billing", "demo-6")))
            shoot_rollout(page, demo)
            rollout = shoot_refusal(page, demo)
            while demo.call(f"/rollouts/{rollout}")["state"] != "running":
                pass
            stop_and_go(demo, signal.SIGSTOP)
            shoot_service(page, demo)
            shoot_lists_and_forms(page, demo)
            stop_and_go(demo, signal.SIGCONT)
            demo.wait_for_rollout(rollout, 120)  # it stood still for longer than its leases
            shoot_follow_ups(page, demo)
            shoot_no_way_back(page, demo)
            shoot_in_chinese(page, demo)
            shoot_no_worker(page, demo)
            demo.stop()
        finally:
            demo.fell()
    click.echo(f"They are in {EVERYTHING.relative_to(ROOT)}/.")


if __name__ == "__main__":
    main()

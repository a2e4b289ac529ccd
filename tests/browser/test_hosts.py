"""A host is tested, its key is approved, and hosts are imported, in the browser."""

from __future__ import annotations

import contextlib
import itertools
import sqlite3

from playwright.sync_api import Page, expect

from deployer.domain.reach import fingerprint
from tests.browser.pause import PausedWorker
from tests.browser.visits import Visits, is_marked, mark
from tests.demo.tree import Tree
from tests.operations.test_host_keys import key

_numbers = itertools.count(1)


def add(demo: Tree, directory: str = "", **more: str) -> tuple[int, str]:
    """A host of the test's own: its id and name."""
    name = f"tested-{next(_numbers)}"
    place = directory or str(demo.home / name)
    return int(demo.call("/hosts", {"hostname": name, "address": "127.0.0.1", "directory": place, **more})["id"]), name


def show_key(demo: Tree, host_id: int, number: int) -> str:
    """As if a worker had met it."""
    with contextlib.closing(sqlite3.connect(demo.home / "deployer.db", timeout=30)) as database, database:
        database.execute(
            "INSERT INTO host_key (host_id, key, fingerprint, seen, approved_by) "
            "VALUES (?, ?, ?, strftime('%Y-%m-%d %H:%M:%f000', 'now'), '')",
            (host_id, key(number), fingerprint(key(number))),
        )
    return fingerprint(key(number))


def test_the_connection_is_tested_and_the_page_shows_what_was_found(page: Page, demo: Tree) -> None:
    host_id, _ = add(demo)
    page.goto(f"/hosts/{host_id}")
    mark(page)
    check = page.locator("#host-check")
    expect(check).to_contain_text("Never tested")
    worker = PausedWorker(demo)
    check.get_by_role("button", name="Test connection").click()
    expect(check).to_contain_text("Testing…")
    expect(check.get_by_role("button")).to_have_count(0)
    worker.go_on()
    expect(check).to_contain_text("Commands run as")
    expect(check).to_contain_text("can be made")
    expect(check.get_by_role("button", name="Test connection")).to_be_visible()
    expect(page.locator("#host-audit")).to_contain_text("had the connection tested")
    assert is_marked(page)


def test_what_has_to_be_mended_is_said(page: Page, demo: Tree) -> None:
    (demo.home / "a-file").touch()
    host_id, name = add(demo, str(demo.home / "a-file"))
    page.goto(f"/hosts?q={name}")
    page.get_by_role("button", name=f"Test {name}").click()
    page.wait_for_url(f"**/hosts/{host_id}")
    expect(page.locator("#host-check")).to_contain_text("What is there instead of its directory is something else.")
    page.goto(f"/hosts?q={name}&state=problem")
    expect(page.get_by_role("row").filter(has_text=name)).to_contain_text("Reached, to mend")


def test_a_key_is_approved_in_a_dialog_and_a_changed_one_only_with_a_tick(
    page: Page, visits: Visits, demo: Tree
) -> None:
    host_id, name = add(demo, reach="ssh")
    first = show_key(demo, host_id, 1)
    page.goto(f"/hosts/{host_id}")
    mark(page)
    keys = page.locator("#host-keys")
    keys.get_by_role("link", name="Approve…").click()
    dialog = page.get_by_role("dialog", name=f"Approve a key of {name}")
    expect(dialog).to_contain_text("ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub")
    expect(dialog).to_contain_text(first)
    dialog.get_by_role("button", name="approve it").click()
    expect(dialog).to_be_hidden()
    expect(keys).to_contain_text("Approved just now")
    expect(keys.get_by_role("link", name="Approve…")).to_have_count(0)

    second = show_key(demo, host_id, 2)
    expect(keys.get_by_role("alert")).to_contain_text("This host has shown another key than the approved one.")
    keys.get_by_role("link", name="Approve…").click()
    visits.provoked.add("status of 409")
    dialog.get_by_role("button", name="approve it").click()
    expect(dialog.get_by_role("alert")).to_contain_text("Another key of this host is approved already.")
    dialog.get_by_label("It replaces the key that is approved now").check()
    dialog.get_by_role("button", name="approve it").click()
    expect(dialog).to_be_hidden()
    expect(keys).to_contain_text(second)
    expect(keys).not_to_contain_text(first)
    expect(keys.get_by_role("alert")).to_have_count(0)
    assert is_marked(page)


def test_a_key_is_forgotten_and_a_host_retired_only_after_a_dialog(page: Page, demo: Tree) -> None:
    host_id, name = add(demo, reach="ssh")
    shown = show_key(demo, host_id, 4)
    page.goto(f"/hosts/{host_id}")
    mark(page)
    keys, opener = page.locator("#host-keys"), page.get_by_role("link", name=f"Forget… {shown}")
    opener.click()
    dialog = page.get_by_role("dialog", name=f"Forget a key of {name}")
    expect(dialog).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(opener).to_be_focused()
    opener.click()
    dialog.get_by_role("button", name="Forget this key").click()
    expect(dialog).to_be_hidden()
    expect(keys).not_to_contain_text(shown)
    page.get_by_role("link", name="Retire…").click()
    page.get_by_role("dialog", name=f"Retire {name}").get_by_role("button", name=f"Take {name} out of use").click()
    expect(page.locator("#host-head")).to_contain_text("retired")
    expect(page.get_by_role("button", name="Bring back")).to_be_visible()
    assert is_marked(page)


def test_a_host_with_services_stays_and_the_dialog_says_why(page: Page, visits: Visits, demo: Tree) -> None:
    visits.provoked.add("status of 409")
    host = next(one for one in demo.call("/hosts?limit=1000") if one["hostname"] == "demo-1")
    page.goto(f"/hosts/{host['id']}")
    page.get_by_role("link", name="Retire…").click()
    dialog = page.get_by_role("dialog", name="Retire demo-1")
    dialog.get_by_role("button", name="Take demo-1 out of use").click()
    expect(dialog.get_by_role("alert")).to_contain_text("Services run on this host")


def test_without_javascript_a_credential_is_removed_on_a_page(visits: Visits, demo: Tree) -> None:
    name = f"file-{next(_numbers)}"
    demo.call("/credentials", {"name": name, "kind": "file", "path": "/etc/deployer/key"})
    page = visits.signed_in(java_script_enabled=False)
    page.goto("/credentials")
    page.get_by_role("link", name=f"Remove… {name}").click()
    page.get_by_role("button", name="Forget where the key file is").click()
    expect(page).to_have_url(f"{visits.url}/credentials")
    expect(page.get_by_role("rowheader", name=name)).to_have_count(0)


def test_hosts_are_imported_after_a_look(page: Page, demo: Tree) -> None:
    number = next(_numbers)
    text = f"hostname,address,labels\nnew-{number},192.0.2.{number},batch\nbad_name,192.0.2.1,\ndemo-1,127.0.0.99,\n"
    page.goto("/hosts")
    page.get_by_role("link", name="Import…").click()
    page.get_by_label("File").set_input_files({"name": "hosts.csv", "mimeType": "text/csv", "buffer": text.encode()})
    page.get_by_label("Directory of their services").fill("/srv/deployer")
    page.get_by_role("button", name="Show what would change").click()
    expect(page.locator("#import-refused")).to_contain_text("This is not a host name.")
    expect(page.locator("#import-changed")).to_contain_text("127.0.0.99")
    expect(page.locator("#import-added")).to_contain_text(f"new-{number}")
    assert f"new-{number}" not in {host["hostname"] for host in demo.call("/hosts?limit=1000")}
    page.go_back()
    page.get_by_label("Its text").fill("\n".join(text.splitlines()[:2]))
    page.get_by_label("File").set_input_files([])
    page.get_by_role("button", name="Show what would change").click()
    page.get_by_role("button", name="Add 1, change 0").click()
    page.wait_for_url("**/hosts")
    said = page.get_by_text("Imported: 1 added, 0 changed, 0 unchanged, 0 left out.")
    expect(said).to_be_visible()
    page.reload()
    expect(said).to_have_count(0)
    page.get_by_role("link", name="batch").click()
    expect(page.get_by_role("row").filter(has_text=f"new-{number}")).to_contain_text(f"192.0.2.{number}")


def test_without_javascript_a_key_is_approved_on_a_page(visits: Visits, demo: Tree) -> None:
    host_id, _ = add(demo, reach="ssh")
    show_key(demo, host_id, 3)
    page = visits.signed_in(java_script_enabled=False)
    page.goto(f"/hosts/{host_id}")
    page.get_by_role("link", name="Approve…").click()
    page.get_by_role("button", name="approve it").click()
    expect(page).to_have_url(f"{visits.url}/hosts/{host_id}")
    expect(page.locator("#host-keys")).to_contain_text("Approved")


def test_on_a_phone_the_lists_of_hosts_and_credentials_fit(visits: Visits, demo: Tree) -> None:
    demo.call(
        "/credentials", {"name": f"file-{next(_numbers)}", "kind": "file", "path": "/etc/deployer/deploy_ed25519"}
    )
    page = visits.signed_in(viewport={"width": 390, "height": 844})
    for path in ("/hosts", "/credentials"):
        page.goto(path)
        wrap = page.locator(".tablewrap")
        expect(wrap.get_by_role("row").nth(1)).to_be_visible()
        assert wrap.evaluate("element => element.scrollWidth - element.clientWidth") == 0, path


def test_on_a_wide_screen_a_description_is_read_to_its_end(visits: Visits, demo: Tree) -> None:
    page = visits.signed_in(viewport={"width": 1440, "height": 900})
    page.goto("/hosts?q=demo-6")
    cell = page.get_by_role("row").filter(has_text="demo-6").locator("td.rest")
    expect(cell).to_have_text("A directory on this machine, with a loopback address of its own.")
    assert cell.evaluate("element => element.scrollWidth - element.clientWidth") <= 0

"""A team brings its own service through the forms: service, host, versions, what runs; then the first upgrade."""

from __future__ import annotations

import json
import re
import sys
import urllib.request
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from deployer.demo.artifacts import build_artifact
from tests.browser.scripted import Scripted
from tests.browser.visits import Visits, instance_row
from tests.demo.tree import Tree
from tests.loopback import free_port, own_address

ADDRESS = own_address(1)


def fill(page: Page, fields: dict[str, str]) -> None:
    """Fill in text fields by their labels."""
    for label, text in fields.items():
        page.get_by_label(label, exact=True).fill(text)


def test_from_an_empty_form_to_a_service_that_answers(page: Page, demo: Tree, tmp_path: Path) -> None:
    page.goto("/services")
    page.get_by_role("link", name="Add service").click()
    fill(page, {"Name": "orders", "Language": "Python", "Restart command": f"{sys.executable} restart.py"})
    page.get_by_role("button", name="Add service").click()
    expect(page.get_by_role("heading", name="orders Python")).to_be_visible()
    address = page.url

    page.get_by_role("link", name="Hosts").click()
    page.get_by_role("link", name="Add host").click()
    # Below the demo's home, so that the service ends with the demo.
    fill(page, {"Name": "own-1", "Address": ADDRESS, "Directory of its services": str(demo.home / "hosts" / "own-1")})
    page.get_by_label("Reached by", exact=True).select_option("local")
    page.get_by_role("button", name="Add host").click()
    expect(page.get_by_role("heading", name="own-1")).to_be_visible()
    expect(page.get_by_text(ADDRESS)).to_be_visible()

    for label in ("2.13.8", "2.14.0"):
        page.goto(address)
        page.get_by_role("link", name="Add version").click()
        fill(page, {"Version": label, "Source reference": f"v{label}"})
        artifact = build_artifact(tmp_path, "orders", label, "ok").path
        page.get_by_label("Artifact file").set_input_files(artifact)
        page.get_by_role("button", name="Add version").click()
        expect(page.locator("#versions")).to_contain_text(label)

    port = free_port(ADDRESS)
    page.get_by_role("link", name="Record instance").click()
    page.get_by_label("Host", exact=True).select_option(label=f"own-1 ({ADDRESS})")
    page.get_by_label("Version that runs there").select_option(label="2.13.8")
    fill(page, {"Port": str(port), "Tag": "blue", "Weight": "50"})
    page.get_by_role("button", name="Record instance").click()
    row = instance_row(page, "own-1")
    expect(row).to_contain_text("recorded")
    expect(row).to_contain_text(f"{ADDRESS}:{port}")

    page.get_by_role("link", name="Upgrade…", exact=True).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("checkbox", name="own-1").check()
    dialog.get_by_role("button", name="Upgrade 1 host to 2.14.0").click()
    expect(row.locator(".tag")).to_have_text("2.14.0")
    expect(row).not_to_contain_text("recorded")
    with urllib.request.urlopen(f"http://{ADDRESS}:{port}/version", timeout=5) as answer:
        assert json.loads(answer.read()) == {"service": "orders", "version": "2.14.0"}


BAD_VALUES = {
    "service name": ("/services/new", {"Name": "../etc", "Restart command": "true"}, "Name", "not a usable name"),
    "restart command": ("/services/new", {"Name": "fine"}, "Restart command", "A command is missing"),
    "unclosed quote": ("/services/new", {"Name": "fine", "Restart command": "sh 'x"}, "Restart command", "quote"),
    "host name": (
        "/hosts/new",
        {"Name": "-x", "Address": "192.0.2.7", "Directory of its services": "/srv"},
        "Name",
        "not a host name",
    ),
    "directory": (
        "/hosts/new",
        {"Name": "fine", "Address": "192.0.2.7", "Directory of its services": "srv"},
        "Directory of its services",
        "not a directory",
    ),
    "version": ("/services/{}/versions/new", {"Version": "1.0/2"}, "Version", "not a usable name"),
    "version taken": ("/services/{}/versions/new", {"Version": "1.0.0"}, "Version", "already"),
    "sha256": (
        "/services/{}/versions/new",
        {"Version": "9.0.0", "SHA-256 of the artifact": "beef"},
        "SHA-256 of the artifact",
        "not a sha256",
    ),
    "port": ("/services/{}/instances/new", {"Port": "70000"}, "Port", "not a port"),
    "host not chosen": ("/services/{}/instances/new", {"Port": "7000"}, "Host", "."),
}


@pytest.mark.parametrize(("path", "fields", "label", "message"), BAD_VALUES.values(), ids=BAD_VALUES)
def test_a_bad_value_is_shown_at_its_field(
    page: Page, visits: Visits, still_service: Scripted, path: str, fields: dict[str, str], label: str, message: str
) -> None:
    visits.provoked |= {"status of 422", "status of 409"}
    page.goto(path.format(still_service.id))
    fill(page, fields)
    page.locator("form.sheet button[type=submit]").click()

    field = page.get_by_label(label, exact=True)
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(field).to_have_accessible_description(re.compile(message))
    expect(page.get_by_role("alert")).to_be_focused()
    for typed, text in fields.items():
        expect(page.get_by_label(typed, exact=True)).to_have_value(text)

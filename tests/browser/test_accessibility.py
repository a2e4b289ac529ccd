"""axe-core finds nothing to mend, on any page or dialog, light and wide as well as dark and narrow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.scripted import Scripted
from tests.browser.visits import Visits, open_dialog
from tests.demo.tree import Tree

AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text()
RUN = """() => axe.run(document, {resultTypes: ["violations"]}).then(({violations}) =>
    violations.flatMap(({id, nodes}) => nodes.slice(0, 3).map(({html, any}) =>
        `${id}: ${html.slice(0, 160)} (${any.map(({message}) => message).join(" ")})`)))"""
LOOKS = {
    "light and wide": {"color_scheme": "light", "viewport": {"width": 1440, "height": 900}},
    "dark and narrow": {"color_scheme": "dark", "viewport": {"width": 390, "height": 844}},
}


def violations(page: Page) -> list[str]:
    """What axe finds on the page as it stands."""
    page.evaluate(AXE)
    return [f"{page.url} {one}" for one in page.evaluate(RUN)]


@pytest.fixture(params=LOOKS.values(), ids=LOOKS)
def look(request: pytest.FixtureRequest) -> dict[str, Any]:
    """A theme and a width, as options of a window."""
    return {**request.param, "reduced_motion": "reduce"}


@pytest.fixture(scope="module")
def torn(demo: Tree) -> Scripted:
    """A service of this module's own, one of whose hosts is broken."""
    service = Scripted.add(demo)
    service.break_host("demo-4")
    return service


@pytest.fixture(scope="module")
def told(torn: Scripted) -> int:
    """A rollout that waits at its gate, with a host that failed."""
    return torn.roll_out(
        "1.2.0", *(f"demo-{n}" for n in range(3, 7)), wave_size="2", stop_after="2", pause_after_first="true"
    )


def paths(demo: Tree, service: Scripted, rollout: int) -> list[str]:
    """Every page."""
    here = f"/services/{service.id}"
    version = f"{here}/versions/{demo.version(service.name, '1.1.0')}"
    host = demo.call("/hosts")[0]["id"]
    return [
        "/services",
        "/services?state=attention",
        "/services/new",
        here,
        f"{here}/edit",
        f"{here}/versions",
        f"{here}/versions/new",
        f"{version}/build",
        f"{version}/upgrade",
        f"{here}/instances/new",
        "/rollouts",
        f"/rollouts/{rollout}",
        "/hosts",
        "/hosts/new",
        f"/hosts/{host}",
        "/hosts/import",
        "/people",
        f"/people?service_id={service.id}",
        "/people/me",
        "/api",
        "/people/me/password",
        "/credentials",
        "/credentials/new",
        "/services/999999",
    ]


def test_no_page_has_anything_to_mend(
    visits: Visits, look: dict[str, Any], demo: Tree, torn: Scripted, told: int
) -> None:
    visits.provoked.add("status of 404")
    stranger, page = visits.stranger(**look), visits.signed_in(**look)
    stranger.goto("/sign-in")
    found = violations(stranger)
    for path in paths(demo, torn, told):
        page.goto(path)
        found += violations(page)
    assert "\n".join(found) == ""


def test_no_dialog_has_anything_to_mend(visits: Visits, look: dict[str, Any], torn: Scripted, told: int) -> None:
    page = visits.signed_in(**look)
    dialog = open_dialog(page, torn.id)
    dialog.get_by_role("checkbox", name="demo-4").check()
    expect(dialog.get_by_text("1 host goes from")).to_be_visible()
    expect(dialog.locator("#rollout-plan")).to_have_attribute("aria-busy", "false")
    found = violations(page)
    page.keyboard.press("Escape")
    page.get_by_role("link", name="Version management…").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    found += violations(page)
    page.goto(f"/rollouts/{told}")
    for words in ("Continue…", "Undo…"):
        page.get_by_role("link", name=words).click()
        expect(page.get_by_role("dialog")).to_be_visible()
        found += violations(page)
        page.keyboard.press("Escape")
    assert "\n".join(found) == ""

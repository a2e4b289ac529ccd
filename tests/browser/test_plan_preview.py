"""What will happen, beside the choices: it follows each of them, and only what is shown can be sent."""

from __future__ import annotations

from playwright.sync_api import Locator, Page, Route, expect

from tests.browser.scripted import Scripted
from tests.browser.visits import Visits, instance_row, open_dialog


def plan_in(dialog: Locator) -> Locator:
    """The region that says what will happen."""
    return dialog.get_by_role("region", name="What will happen")


def nothing_started(service: Scripted) -> bool:
    """Whether the service has no rollout."""
    return bool(service.demo.call(f"/rollouts?service_id={service.id}") == [])


def test_it_follows_every_choice(page: Page, still_service: Scripted) -> None:
    dialog = open_dialog(page, still_service.id)
    plan = plan_in(dialog)
    expect(plan).to_contain_text("Nothing is chosen yet.")
    for hostname in ("demo-3", "demo-4", "demo-5"):
        dialog.get_by_role("checkbox", name=hostname).check()
    expect(plan).to_contain_text("3 hosts go from 1.1.0 up to 1.4.0.")
    expect(plan).to_contain_text("One wave: all at once.")

    dialog.get_by_label("Wave size").fill("2")
    expect(plan.get_by_role("listitem").filter(has_text="Wave 1")).to_contain_text("demo-3 1.1.0 → 1.4.0")
    expect(plan.get_by_role("listitem").filter(has_text="Wave 2")).to_contain_text("demo-5")
    dialog.get_by_label("Pause after the first wave").check()
    expect(plan.get_by_text("It waits here.")).to_be_visible()
    dialog.get_by_label("Stop after").fill("2")
    dialog.get_by_label("On failure").select_option("undo")
    expect(plan).to_contain_text(
        "Once 2 hosts have failed, no further one is started. Then every host that was touched"
    )
    dialog.get_by_label("Target version").select_option(label="1.2.0")
    expect(plan).to_contain_text("demo-5 1.1.0 → 1.2.0")
    dialog.get_by_role("checkbox", name="demo-5").uncheck()
    expect(plan).to_contain_text("One wave: all at once.")

    dialog.get_by_role("checkbox", name="Select all free hosts").uncheck()
    dialog.get_by_role("checkbox", name="Select all free hosts").check()
    expect(plan).to_contain_text("4 hosts go from 1.1.0 up to 1.2.0.")
    dialog.get_by_role("checkbox", name="Select all free hosts").uncheck()
    expect(plan).to_contain_text("Nothing is chosen yet.")


def test_while_it_is_worked_out_nothing_can_be_sent(page: Page, service: Scripted) -> None:
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    dialog = open_dialog(page, service.id)
    button = dialog.get_by_role("button", name="Upgrade ")
    page.route("**/upgrade/plan", hold)
    with page.expect_request("**/upgrade/plan"):
        dialog.get_by_role("checkbox", name="demo-3").check()
    expect(button).to_be_disabled()
    dialog.get_by_label("Why").press("Control+Enter")
    button.click(force=True)
    expect(button).to_be_disabled()
    assert nothing_started(service)

    held[0].continue_()
    expect(button).to_be_enabled()
    expect(plan_in(dialog)).to_contain_text("1 host goes from 1.1.0 up to 1.4.0.")
    dialog.get_by_label("Why").press("Control+Enter")
    expect(dialog).to_be_hidden()
    expect(instance_row(page, "demo-3").locator(".tag")).to_have_text("1.4.0")


def test_where_no_plan_came_it_is_shown_before_anything_starts(page: Page, visits: Visits, service: Scripted) -> None:
    visits.provoked |= {"net::ERR_FAILED", "Failed to fetch"}
    dialog = open_dialog(page, service.id)
    page.route("**/upgrade/plan", lambda route: route.abort())
    dialog.get_by_role("checkbox", name="demo-3").check()
    button = dialog.get_by_role("button", name="Upgrade 1 host to 1.4.0", exact=True)
    expect(page.get_by_text("The server did not answer.")).to_be_visible()
    button.click()
    expect(dialog.get_by_role("status").filter(has_text="Review what will happen")).to_be_focused()
    expect(plan_in(dialog)).to_contain_text("demo-3 1.1.0 → 1.4.0")
    assert nothing_started(service)

    button.click()
    expect(dialog).to_be_hidden()
    expect(instance_row(page, "demo-3").locator(".tag")).to_have_text("1.4.0")


def test_a_strange_wave_size_is_told_calmly_and_refused_at_its_field(
    page: Page, visits: Visits, still_service: Scripted
) -> None:
    visits.provoked.add("status of 422")
    dialog = open_dialog(page, still_service.id)
    dialog.get_by_role("checkbox", name="demo-3").check()
    dialog.get_by_label("Wave size").fill("0%")
    expect(plan_in(dialog)).to_contain_text("This is not the size of a wave.")
    expect(dialog.get_by_role("alert")).to_have_count(0)

    dialog.get_by_label("Wave size").press("Enter")
    page.keyboard.press("Enter")
    expect(dialog.get_by_role("alert")).to_contain_text("This is not the size of a wave.")
    expect(dialog.locator("#wave_size-error")).to_be_visible()
    dialog.get_by_label("Wave size").fill("50%")
    expect(plan_in(dialog)).to_contain_text("1 host goes from 1.1.0 up to 1.4.0.")


def test_how_it_goes_survives_a_change_of_direction(page: Page, still_service: Scripted) -> None:
    dialog = open_dialog(page, still_service.id)
    dialog.get_by_label("Wave size").fill("1")
    dialog.get_by_label("Pause after the first wave").check()
    dialog.get_by_role("link", name="Revert", exact=True).click()
    expect(dialog.get_by_role("heading", name="Revert")).to_be_visible()
    expect(dialog.get_by_label("Wave size")).to_have_value("1")
    dialog.get_by_role("checkbox", name="demo-3").check()
    dialog.get_by_role("checkbox", name="demo-4").check()

    expect(plan_in(dialog)).to_contain_text("2 hosts go from 1.1.0 back to 1.0.0.")
    expect(plan_in(dialog).get_by_text("It waits here.")).to_be_visible()

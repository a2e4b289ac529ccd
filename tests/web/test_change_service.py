"""A service's recipe can be mended on its page and over JSON."""

from __future__ import annotations

import pytest

from deployer.domain.recipe import ReleaseRecipe
from deployer.queries import catalog
from tests.web.conftest import Visitor
from tests.world import World, snapshot

MENDED = {"name": "orders", "restart": "systemctl restart 'my orders'", "keep": "7", "language": "Go"}


def test_the_form_opens_with_what_is_recorded(visitor: Visitor, world: World) -> None:
    page = visitor.get(f"/services/{world.service}/edit").get_data(as_text=True)
    assert 'value="orders"' in page
    assert 'value="true"' in page
    assert "Save changes" in page


def test_saving_changes_the_recipe(visitor: Visitor, world: World) -> None:
    assert visitor.post(f"/services/{world.service}/edit", MENDED).status_code == 303
    row = catalog.service(world.service)
    assert isinstance(row.recipe, ReleaseRecipe)
    assert (row.recipe.restart, row.recipe.keep, row.language) == (("systemctl", "restart", "my orders"), 7, "Go")
    again = visitor.get(f"/services/{world.service}/edit").get_data(as_text=True)
    assert "systemctl restart &#39;my orders&#39;" in again


def test_the_api_changes_it_too(visitor: Visitor, world: World) -> None:
    answer = visitor.client.post(f"/api/v1/services/{world.service}", json=MENDED, headers=world.bearer())
    assert answer.status_code == 200
    assert catalog.service(world.service).language == "Go"


@pytest.mark.parametrize(
    ("wrong", "status"),
    [({"name": "other-name"}, 409), ({"restart": ""}, 422), ({"keep": "none"}, 422), ({"health": "maybe"}, 422)],
)
def test_what_is_wrong_is_shown_and_changes_nothing(
    visitor: Visitor, world: World, wrong: dict[str, str], status: int
) -> None:
    before = snapshot()
    answer = visitor.post(f"/services/{world.service}/edit", MENDED | wrong)
    assert answer.status_code == status
    assert "The service was not changed" in answer.get_data(as_text=True)
    assert snapshot() == before


def test_a_viewer_is_not_offered_it(shared_world: World, shared_visitor: Visitor) -> None:
    assert "Edit…" in shared_visitor.get(f"/services/{shared_world.service}").get_data(as_text=True)
    viewer = Visitor(shared_visitor.client.application.test_client())
    viewer.sign_in("vic")
    assert "Edit…" not in viewer.get(f"/services/{shared_world.service}").get_data(as_text=True)
    assert viewer.get(f"/services/{shared_world.service}/edit").status_code == 403

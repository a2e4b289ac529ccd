"""Static files carry what is in them in their address, and are kept for good only there."""

from __future__ import annotations

import re

import pytest

from deployer.resources import folder
from deployer.web import static_files
from tests.web.conftest import Visitor
from tests.world import World

KEPT = "public, max-age=31536000, immutable"


def test_every_address_on_a_page_may_be_kept_for_good(shared_visitor: Visitor, shared_world: World) -> None:
    page = shared_visitor.get(f"/services/{shared_world.service}").text
    found = set(re.findall(r'"(/static/[^"#]+)', page))
    assert len(found) > 10
    for address in found:
        answer = shared_visitor.get(address, buffered=True)
        assert (answer.status_code, answer.headers["Cache-Control"]) == (200, KEPT), address
        assert "Set-Cookie" not in answer.headers, address


@pytest.mark.parametrize("query", ["", "?v=", "?v=000000000000", "?v=0&v=0"])
def test_another_address_is_asked_for_anew(shared_visitor: Visitor, query: str) -> None:
    answer = shared_visitor.get(f"/static/app.css{query}", buffered=True)
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-cache"


def test_what_is_not_there_is_not_kept(shared_visitor: Visitor) -> None:
    assert shared_visitor.get("/static/nothing.css?v=").headers.get("Cache-Control") != KEPT


def test_the_version_follows_what_is_in_the_file(tmp_path_factory: pytest.TempPathFactory) -> None:
    folders = [tmp_path_factory.mktemp("static") for _ in range(3)]
    for there, text in zip(folders, ("a", "b", "a"), strict=True):
        (there / "x.css").write_text(text)
    one, other, same = (static_files._digest(str(there), "x.css") for there in folders)
    assert one == same != other
    assert static_files._digest(str(folders[0]), "none.css") == ""
    assert (folder("static") / "app.css").is_file()

"""A form that cannot be read comes back with what was typed and why, like any other refused form."""

from __future__ import annotations

import re
from urllib.parse import urlencode

import pytest

from tests.web.conftest import Visitor
from tests.world import World, snapshot

SERVICE = [("name", "new-one"), ("restart", "true"), ("description", "typed here")]
HOST = [("hostname", "web-9"), ("address", "127.0.0.9"), ("directory", "/srv"), ("description", "typed here")]
VERSION = [("version", "9.9.9"), ("status", "building"), ("description", "typed here")]
INSTANCE = [("host_id", "5"), ("version_id", "1"), ("port", "8000"), ("description", "typed here")]
BUILD = [("status", "failed"), ("artifact_url", "typed here")]
FORMS = {
    "/services": SERVICE,
    "/hosts": HOST,
    "/services/1/versions": VERSION,
    "/services/1/versions/2/build": BUILD,
    "/services/1/instances": INSTANCE,
    "/services/1/versions/2/upgrade": [("dest_version", "3"), ("host", "all"), ("reason", "typed here")],
}


def refuse(visitor: Visitor, path: str, pairs: list[tuple[str, str]]) -> str:
    """Post it as it stands, expect the form again."""
    before = snapshot()
    body = urlencode([("csrf_token", visitor.token), *pairs])
    answer = visitor.client.post(path, data=body, content_type="application/x-www-form-urlencoded")
    assert answer.status_code == 422, answer.text
    assert 'role="alert" tabindex="-1"' in answer.text
    assert "typed here" in answer.text
    assert snapshot() == before
    return answer.text


@pytest.mark.parametrize(("path", "pairs"), FORMS.items(), ids=FORMS.keys())
def test_a_form_with_a_field_sent_twice_comes_back(
    shared_visitor: Visitor, shared_world: World, path: str, pairs: list[tuple[str, str]]
) -> None:
    page = refuse(shared_visitor, path, [*pairs, (pairs[0][0], "2")])
    assert f"Send {pairs[0][0]} once." in page


@pytest.mark.parametrize(("path", "pairs"), FORMS.items(), ids=FORMS.keys())
def test_a_form_with_an_unknown_field_comes_back(
    shared_visitor: Visitor, shared_world: World, path: str, pairs: list[tuple[str, str]]
) -> None:
    page = refuse(shared_visitor, path, [*pairs, ("banana", "2")])
    assert "The request has a field that is not known here." in page


def test_every_host_and_a_tick_together_are_refused_in_plain_words(
    shared_visitor: Visitor, shared_world: World
) -> None:
    hosts = [("host", "all"), ("host_id", str(shared_world.hosts["web-2"]))]
    page = refuse(
        shared_visitor,
        shared_world.url(),
        [("dest_version", str(shared_world.versions["1.2.0"])), ("reason", "typed here"), *hosts],
    )
    assert re.search(r'id="host-error">[^<]*Tick either every host or single hosts\.', page)
    assert re.search(rf'name="host_id" value="{shared_world.hosts["web-2"]}" checked', page)
    assert re.search(r'name="host" value="all"[^>]* checked', page)

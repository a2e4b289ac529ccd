"""A signed-in person who fills in forms, without a browser."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import pytest
from flask import Flask, current_app
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.world import PASSWORD, World

if TYPE_CHECKING:
    from tests.web.town import Town

POLL = re.compile(r'<div id="poller"(?: data-list)? hx-get="([^"]+)" hx-trigger="every ([0-9]+)ms')
PARTIAL = re.compile(r'<hx-partial id="([^"]+)" hx-swap="[^"]+">(.*?)</hx-partial>', re.DOTALL)
TOKEN = re.compile(r'name="csrf_token"[^>]*value="([^"]+)"')
PLAN = re.compile(r'name="plan" value="([^"]+)"')
Pairs = dict[str, Any] | list[tuple[str, Any]]


class Visitor:
    """A session with cookies; posts carry the CSRF token of the page they come from."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client
        self.token = ""

    def sign_in(self, name: str = "ann", password: str = PASSWORD) -> TestResponse:
        self.read_token("/sign-in")
        answer = self.post("/sign-in", {"name": name, "password": password})
        if answer.status_code == 303:
            self.read_token("/services")
        return answer

    def read_token(self, path: str) -> None:
        found = TOKEN.search(self.get(path).get_data(as_text=True))
        assert found, f"{path} has no form with a token"
        self.token = found[1]

    def get(self, path: str, **kwargs: Any) -> TestResponse:
        return self.client.get(path, **kwargs)

    def post(self, path: str, data: Pairs | None = None, **kwargs: Any) -> TestResponse:
        """Post a form with the token; a list of pairs may repeat a name."""
        pairs = list(data.items()) if isinstance(data, dict) else list(data or [])
        fields: dict[str, list[Any]] = {"csrf_token": [self.token]}
        for name, value in pairs:
            fields.setdefault(name, []).append(value)
        return self.client.post(path, data=fields, **kwargs)

    def look(self, path: str, data: Pairs) -> tuple[str, str]:
        """What the dialog says would happen, and the token of that plan, "" when there is none."""
        text = self.post(path + "/plan", data).text
        found = PLAN.search(text)
        return text, found[1] if found else ""

    def start(self, path: str, data: Pairs, **kwargs: Any) -> TestResponse:
        """Look at the plan, then send the form with its token: what a person does in the dialog."""
        pairs = list(data.items()) if isinstance(data, dict) else list(data)
        return self.post(path, [*pairs, ("plan", self.look(path, pairs)[1])], **kwargs)


class OpenPage:
    """A page that stands open in a browser: it polls where its last answer says. ``included`` is what the page adds, as
    its filter or the step whose log it shows."""

    def __init__(self, visitor: Visitor, path: str, **included: Any) -> None:
        self.visitor = visitor
        self.included = included
        self.html = visitor.get(path).text
        self._read(self.html)

    def poll(self, **more: Any) -> dict[str, str]:
        """What is swapped, by the id of the element; nothing when the answer was that nothing has changed."""
        answer = self.visitor.get(self.address, query_string={**self._asked(), **self.included, **more})
        assert answer.status_code in (200, 204), answer.text
        if answer.status_code == 204:
            assert answer.text == ""
            return {}
        self._read(answer.text)
        return dict(PARTIAL.findall(answer.text))

    def _read(self, html: str) -> None:
        found = POLL.search(html)
        assert found, html
        self.address, _, self._query = unescape(found[1]).partition("?")
        self.every = int(found[2])

    def _asked(self) -> dict[str, str]:
        return dict(parse_qsl(self._query))


@pytest.fixture
def visitor(app: Flask, world: World) -> Visitor:
    """Ann, signed in, on both databases."""
    found = Visitor(app.test_client())
    assert found.sign_in().status_code == 303
    return found


@pytest.fixture(scope="module")
def shared_visitor(shared_world: World) -> Visitor:
    """Ann, signed in to the application of ``shared_world``."""
    found = Visitor(current_app.test_client())
    assert found.sign_in().status_code == 303
    return found


@pytest.fixture(scope="module")
def town(own_world: tuple[Flask, World, Path]) -> Town:
    """Two services and everybody signed in, for a whole module of tests that undo what they do."""
    from tests.web.town import settled

    return settled(*own_world)

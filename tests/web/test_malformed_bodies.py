"""Bodies that are not what their content type says: refused with words that help, never a crash, nothing changed."""

from __future__ import annotations

import pytest
from flask import current_app

from tests.web.conftest import Visitor
from tests.world import World, snapshot

MULTIPART = "multipart/form-data; boundary=x"
BODIES = {
    "a part without a name": (MULTIPART, b"--x\r\nContent-Disposition: form-data\r\n\r\nzz\r\n--x--\r\n"),
    "a file without a name": (MULTIPART, b'--x\r\nContent-Disposition: form-data; filename="a"\r\n\r\nzz\r\n--x--\r\n'),
    "a part without a disposition": (MULTIPART, b"--x\r\nContent-Type: text/plain\r\n\r\nzz\r\n--x--\r\n"),
    "cut off": (MULTIPART, b'--x\r\nContent-Disposition: form-data; name="name"\r\n\r\nzz'),
    "no boundary": ("multipart/form-data", b"zz"),
    "a boundary that is not ASCII": ("multipart/form-data; boundary=\u00e9", b"zz"),
    "another boundary": ("multipart/form-data; boundary=y", b"--x\r\n\r\nzz\r\n--x--\r\n"),
    "a header that is not UTF-8": (
        MULTIPART,
        b'--x\r\nContent-Disposition: form-data; name="\xff"\r\n\r\nz\r\n--x--\r\n',
    ),
    "a form that is not UTF-8": ("application/x-www-form-urlencoded", b"name=\xff"),
}
CASES = pytest.mark.parametrize(("content_type", "body"), BODIES.values(), ids=BODIES.keys())


@CASES
@pytest.mark.parametrize("path", ["/sign-in", "/services", "/hosts", "/services/1/versions", "/sign-out"])
def test_a_malformed_body_is_refused_with_a_page(
    shared_world: World, path: str, content_type: str, body: bytes
) -> None:
    ann = Visitor(current_app.test_client())
    assert ann.sign_in().status_code == 303
    before = snapshot()
    answer = ann.client.post(path, data=body, content_type=content_type)
    assert answer.status_code == 400, answer.text
    assert "<h1>The request is malformed.</h1>" in answer.text
    assert snapshot() == before


@CASES
def test_a_stranger_meets_no_crash_either(shared_world: World, content_type: str, body: bytes) -> None:
    answer = current_app.test_client().post("/sign-in", data=body, content_type=content_type)
    assert answer.status_code == 400, answer.text


@CASES
@pytest.mark.parametrize("path", ["/services/1/versions/2/upgrade", "/hosts", "/services/1/versions"])
def test_the_api_refuses_a_malformed_body(shared_world: World, path: str, content_type: str, body: bytes) -> None:
    before = snapshot()
    client = current_app.test_client()
    answer = client.post("/api/v1" + path, data=body, content_type=content_type, headers=shared_world.bearer())
    assert answer.status_code == 400, answer.text
    assert answer.json == {"msg": "The request is malformed.", "code": -1, "hint": "Go back and try again."}
    assert snapshot() == before

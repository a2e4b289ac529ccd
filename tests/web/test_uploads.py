"""Artifacts that come as files: kept when all else is right, and gone again when the form is refused after all."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any

import pytest
from flask import current_app

from deployer import artifacts
from tests.web.conftest import Visitor
from tests.world import World

CONTENT = b"an artifact"
SHA256 = hashlib.sha256(CONTENT).hexdigest()
REFUSED = {
    "no label": {"version": "", "status": "success"},
    "a bad status": {"version": "9.9.9", "status": "banana"},
    "an unknown field": {"version": "9.9.9", "status": "success", "banana": "1"},
    "another sha256": {"version": "9.9.9", "status": "success", "sha256": "0" * 64},
    "a file and an address": {"version": "9.9.9", "status": "success", "artifact_url": "http://x/a", "sha256": SHA256},
    "a label that is taken": {"version": "1.1.0", "status": "success"},
}
CASES = pytest.mark.parametrize("fields", REFUSED.values(), ids=REFUSED.keys())


def file() -> tuple[io.BytesIO, str]:
    return io.BytesIO(CONTENT), "a.tar.gz"


def kept() -> list[str]:
    """What is in the store."""
    store: Path = current_app.config["SETTINGS"].artifacts
    return [one.name for one in store.iterdir()] if store.exists() else []


def send(visitor: Visitor, world: World, api: bool, path: str, **fields: Any) -> int:
    """The status of posting the fields and the file."""
    data = fields | {"artifact": file()}
    path = f"/services/{world.service}/versions{path}"
    if api:
        return visitor.client.post("/api/v1" + path, data=data, headers=world.bearer()).status_code
    return visitor.post(path, data).status_code


@pytest.mark.parametrize("api", [False, True], ids=["page", "api"])
@CASES
def test_a_refused_version_leaves_no_file(visitor: Visitor, world: World, fields: dict[str, str], api: bool) -> None:
    assert send(visitor, world, api, "", **fields) in {409, 417, 422}
    assert kept() == []


@pytest.mark.parametrize("api", [False, True], ids=["page", "api"])
def test_a_refused_build_leaves_no_file(visitor: Visitor, world: World, api: bool) -> None:
    path = f"/{world.versions['1.1.0']}/build"  # it has another artifact already
    assert send(visitor, world, api, path, status="success") == 409
    assert kept() == []


@pytest.mark.parametrize("api", [False, True], ids=["page", "api"])
def test_an_accepted_artifact_is_kept_under_its_sha256(visitor: Visitor, world: World, api: bool) -> None:
    assert send(visitor, world, api, "", version="9.9.9", status="success", sha256=SHA256) in {201, 303}
    assert kept() == [SHA256]
    assert artifacts.path_of(current_app.config["SETTINGS"].artifacts, SHA256).read_bytes() == CONTENT


@pytest.mark.parametrize("api", [False, True], ids=["page", "api"])
@CASES
def test_a_refused_form_takes_no_file_away_that_a_version_has(
    visitor: Visitor, world: World, fields: dict[str, str], api: bool
) -> None:
    assert send(visitor, world, api, "", version="8.8.8", status="success") in {201, 303}
    assert send(visitor, world, api, "", **fields) in {409, 417, 422}
    assert kept() == [SHA256]


def test_a_second_file_is_refused(visitor: Visitor, world: World) -> None:
    answer = visitor.post(
        f"/services/{world.service}/versions",
        [("version", "9.9.9"), ("status", "success"), ("artifact", file()), ("other", file())],
    )
    assert answer.status_code == 422
    assert "Send one file, as artifact." in answer.text
    assert kept() == []

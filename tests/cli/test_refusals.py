"""The command line refuses as strictly as the pages: a message that names the field, and nothing has changed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Console

ADD_SERVICE = ("service", "add")
ADD_VERSION = ("version", "add", "orders")
ADD_HOST = ("host", "add")
RECORD = ("instance", "record")
PLACE = ("--address", "192.0.2.8", "--directory", "/srv/other")

REFUSED = [
    ((*ADD_SERVICE, "", "--restart", "true"), "name"),
    ((*ADD_SERVICE, "../x", "--restart", "true"), "name"),
    ((*ADD_SERVICE, "a\nb", "--restart", "true"), "name"),
    ((*ADD_SERVICE, "\udc80", "--restart", "true"), "name"),
    ((*ADD_SERVICE, "x" * 65, "--restart", "true"), "name"),
    ((*ADD_SERVICE, "new"), "restart"),
    ((*ADD_SERVICE, "new", "--restart", "'unclosed"), "restart"),
    ((*ADD_SERVICE, "new", "--restart", "true", "--deploy", "true"), "deploy"),
    ((*ADD_SERVICE, "new", "--kind", "magic", "--restart", "true"), "kind"),
    ((*ADD_SERVICE, "new", "--restart", "true", "--keep", "0"), "keep"),
    ((*ADD_SERVICE, "new", "--restart", "true", "--keep", "٣"), "keep"),
    ((*ADD_SERVICE, "new", "--restart", "true", "--health-timeout", "nan"), "health_timeout"),
    ((*ADD_SERVICE, "new", "--restart", "true", "--health-path", "no-slash"), "health_path"),
    ((*ADD_SERVICE, "new", "--restart", "true", "--build-url", "javascript:alert(1)"), "build_url"),
    ((*ADD_SERVICE, "new", "--restart", "true", "--description", "\x00"), "description"),
    ((*ADD_VERSION, ""), "version"),
    ((*ADD_VERSION, "$(id)"), "version"),
    ((*ADD_VERSION, "2.0", "--status", "great"), "status"),
    ((*ADD_VERSION, "2.0", "--status", "２"), "status"),
    ((*ADD_VERSION, "2.0", "--url", "https://example.org/x"), "sha256"),
    ((*ADD_VERSION, "2.0", "--url", "file:///etc/passwd", "--sha256", "a" * 64), "artifact_url"),
    ((*ADD_VERSION, "2.0", "--sha256", "a" * 64), "artifact_url"),
    ((*ADD_VERSION, "2.0", "--url", "https://example.org/x", "--sha256", "a" * 63), "sha256"),
    ((*ADD_VERSION, "2.0", "--artifact", __file__, "--sha256", "a" * 64), "sha256"),
    ((*ADD_VERSION, "2.0", "--artifact", __file__, "--url", "https://example.org/x"), "artifact_url"),
    (("version", "add", "unknown", "2.0"), "service"),
    (("version", "add", "ord%", "2.0"), "service"),
    (("version", "build", "orders", "9.9", "--status", "failed"), "version"),
    (("version", "build", "orders", "1.0", "--status", ""), "status"),
    ((*ADD_HOST, "web_2", *PLACE), "hostname"),
    ((*ADD_HOST, "127.1", *PLACE), "hostname"),
    ((*ADD_HOST, "web-2", "--directory", "/srv"), "address"),
    ((*ADD_HOST, "web-2", "--address", "0.0.0.0", "--directory", "/srv"), "address"),
    ((*ADD_HOST, "web-2", "--address", "192.0.2.8", "--directory", "srv"), "directory"),
    ((*ADD_HOST, "web-2", "--address", "192.0.2.8", "--directory", "/srv/../etc"), "directory"),
    ((*ADD_HOST, "web-2", *PLACE, "--reach", "telnet"), "reach"),
    ((*RECORD, "orders", "web-1", "1.0"), "port"),
    ((*RECORD, "orders", "web-1", "1.0", "--port", "65536"), "port"),
    ((*RECORD, "orders", "web-1", "1.0", "--port", "080"), "port"),
    ((*RECORD, "orders", "web-1", "1.0", "--port", "80", "--weight", "+1"), "weight"),
    ((*RECORD, "orders", "web-1", "1.0", "--port", "80", "--tag", "a b"), "tag"),
    ((*RECORD, "orders", "web-9", "1.0", "--port", "80"), "host"),
    ((*RECORD, "orders", "web-1", "7", "--port", "80"), "version"),
    ((*RECORD, "nothing", "web-1", "1.0", "--port", "80"), "service"),
]


@pytest.mark.parametrize(("words", "field"), REFUSED, ids=lambda one: " ".join(one) if isinstance(one, tuple) else one)
def test_a_bad_value_is_refused_at_its_field_and_changes_nothing(
    stocked: Console, words: tuple[str, ...], field: str
) -> None:
    before, files = stocked.dump(), sorted(stocked.home.rglob("artifacts/*"))
    result = stocked(*words)

    assert result.exit_code == 2, result.output
    assert result.stderr.startswith(f"{field}: "), result.stderr
    assert result.stdout == ""
    assert stocked.dump() == before
    assert sorted(stocked.home.rglob("artifacts/*")) == files


@pytest.mark.parametrize(
    ("words", "field"),
    [
        ((*ADD_SERVICE, "orders", "--restart", "true"), "name"),
        ((*ADD_VERSION, "1.0"), "version"),
        (("version", "build", "orders", "1.0", "--artifact", __file__), "sha256"),
        ((*ADD_HOST, "web-1", *PLACE), "hostname"),
        ((*ADD_HOST, "WEB-1", *PLACE), "hostname"),
    ],
    ids=["service", "version", "other artifact", "host", "host in capitals"],
)
def test_what_is_there_already_is_a_conflict(stocked: Console, words: tuple[str, ...], field: str) -> None:
    before = stocked.dump()
    result = stocked(*words)

    assert result.exit_code == 1, result.output
    assert result.stderr.startswith(f"{field}: ")
    assert stocked.dump() == before


def test_a_service_runs_on_a_host_only_once(stocked: Console) -> None:
    stocked(*RECORD, "orders", "web-1", "1.0", "--port", "80")
    before = stocked.dump()
    result = stocked(*RECORD, "orders", "web-1", "1.1", "--port", "81")

    assert result.exit_code == 1
    assert result.stderr.startswith("host_id: ")
    assert stocked.dump() == before


def test_all_refused_fields_are_named_at_once(stocked: Console) -> None:
    result = stocked(*ADD_HOST, "web_2", "--address", "?", "--directory", "here")

    assert [line.partition(":")[0] for line in result.stderr.splitlines()] == ["hostname", "address", "directory"]


def test_bytes_that_are_no_text_end_in_a_message_and_not_in_a_traceback(empty_home: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "deployer", "user", "create", b"\xff\xfe", "--password-stdin"],
        env={"DEPLOYER_HOME": str(empty_home), "PATH": ""},
        input=b"0123456789",
        capture_output=True,
        check=False,
    )

    assert ended.returncode in (1, 2)
    assert b"Traceback" not in ended.stderr


@pytest.mark.parametrize("words", [(*ADD_VERSION, "2.0"), ("version", "build", "orders", "1.1")], ids=["add", "build"])
def test_an_artifact_that_is_no_regular_file_is_refused_and_not_waited_for(
    stocked: Console, tmp_path: Path, words: tuple[str, ...]
) -> None:
    before, fifo = stocked.dump(), tmp_path / "fifo"
    os.mkfifo(fifo)
    for path in (fifo, Path("/dev/zero"), Path("/dev/null")):
        result = stocked(*words, "--artifact", str(path))

        assert result.exit_code == 2, result.output
        assert result.stderr.startswith(f"artifact: {path} is not a regular file"), result.stderr
    assert stocked.dump() == before
    assert not list(stocked.home.rglob("artifacts/*"))


def test_an_artifact_of_more_than_2_gib_is_refused_before_it_is_read(stocked: Console, tmp_path: Path) -> None:
    large = tmp_path / "large"
    with large.open("wb") as file:
        file.truncate(2**31 + 1)
    before = stocked.dump()
    result = stocked(*ADD_VERSION, "2.0", "--artifact", str(large))

    assert result.exit_code == 2
    assert result.stderr.startswith("artifact: ")
    assert "2 GiB" in result.stderr
    assert stocked.dump() == before
    assert not list(stocked.home.rglob("artifacts/*"))

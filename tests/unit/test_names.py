"""Names, addresses, ports, paths and texts: what is kept and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployer.domain import names
from deployer.domain.errors import Invalid

HOSTILE = [
    "",
    " ",
    "-rf",
    "--help",
    "..",
    "../x",
    "a/b",
    "a b",
    "a\n",
    "a\x00",
    "１",
    "é",
    "\ud800",
    "$(id)",
    "`id`",
    "<script>",
    "a" * 65,
    None,
    7,
    ["a"],
    {"a": 1},
]


@pytest.mark.parametrize("text", ["a", "0", "1.2.3", "2026.11-rc+1", "A_b-C", "a" * 64])
def test_a_name_is_kept_as_it_is(text: str) -> None:
    assert names.parse_name(text, "label") == text


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_a_name_that_could_be_anything_else_is_refused(text: object) -> None:
    refused(names.parse_name, text)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:DB8::0001", "2001:db8::1"),
        ("::1", "::1"),
        ("Web-1.Example.org", "web-1.example.org"),
        ("localhost", "localhost"),
        ("1web", "1web"),
    ],
)
def test_an_address_is_kept_in_its_shortest_form(text: str, kept: str) -> None:
    assert names.parse_address(text, "address") == kept


@pytest.mark.parametrize(
    "text",
    [
        *[value for value in HOSTILE if value != "a" * 65],
        "a" * 64,
        "a." * 127,
        "127.1",
        "0x7f.1",
        "0x7f000001",
        "2130706433",
        "256.1.1.1",
        "01.2.3.4",
        "1.2.3.4/8",
        "fe80::1%eth0",
        "fe80::1%;id",
        "0.0.0.0",
        "224.0.0.1",
        "host:80",
        "user@host",
        "host_1",
        "host-",
        "host.",
        ".host",
    ],
    ids=ascii,
)
def test_an_address_that_is_not_one_host_is_refused(text: object) -> None:
    refused(names.parse_address, text)


@pytest.mark.parametrize("text", ["10.0.0.1", "a..b", "-a", "web 1", "ｗeb", None], ids=ascii)
def test_a_host_name_that_is_not_a_dns_name_is_refused(text: object) -> None:
    refused(names.parse_hostname, text)


@pytest.mark.parametrize(("text", "port"), [("1", 1), ("65535", 65535), (8080, 8080)])
def test_a_port_is_read_from_digits_or_a_number(text: object, port: int) -> None:
    assert names.parse_port(text, "port") == port


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "01",
        "+1",
        "-1",
        "65536",
        " 80",
        "80\n",
        "8_0",
        "８０",
        "٨",
        "1e3",
        "0x50",
        "9" * 5000,
        0,
        -1,
        65536,
        10**30,
        True,
        80.0,
        None,
        [80],
    ],
    ids=lambda value: ascii(value)[:20],
)
def test_what_is_not_a_port_is_refused(text: object) -> None:
    refused(names.parse_port, text)


def test_a_sha256_is_kept_in_lower_case() -> None:
    assert names.parse_sha256("AB" * 32, "sha256") == "ab" * 32


@pytest.mark.parametrize("text", ["", "ab" * 31, "ab" * 33, "g" * 64, "ab" * 32 + "\n", "１" * 64, None, 5], ids=ascii)
def test_what_is_not_a_sha256_is_refused(text: object) -> None:
    refused(names.parse_sha256, text)


@pytest.mark.parametrize(
    ("text", "kept"), [("/srv/deployer/", "/srv/deployer"), ("//srv//./x", "/srv/x"), ("/a b/é", "/a b/é")]
)
def test_a_directory_is_kept_without_doubled_slashes(text: str, kept: str) -> None:
    assert names.parse_directory(text, "directory") == kept


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/",
        "//",
        "srv",
        "./srv",
        "~/srv",
        "/srv/../etc",
        "/..",
        "/a\n",
        "/a\x00",
        "/a\x1b[1m",
        "/\ud800",
        "/" + "a" * 1024,
        None,
        1,
    ],
    ids=lambda value: ascii(value)[:20],
)
def test_what_is_not_an_absolute_directory_is_refused(text: object) -> None:
    refused(names.parse_directory, text)


def test_text_keeps_its_lines_and_loses_the_blanks_around_it() -> None:
    assert names.parse_text("  one\r\n\ttwo\n ", "description", 20) == "one\n\ttwo"
    assert names.parse_text("版本 <b>", "description", 20) == "版本 <b>"


@pytest.mark.parametrize("text", ["a\x00", "a\x1b[1m", "a\rb", "\ud800", "x" * 21, None, 5], ids=ascii)
def test_text_that_cannot_be_kept_is_refused(text: object) -> None:
    refused(lambda value, field: names.parse_text(value, field, 20), text)


@pytest.mark.parametrize(
    "text", ["https://ci.example.org/job/1?x=a&y=%20#top", "HTTP://127.0.0.1:8080/", "http://[::1]:80/a"]
)
def test_a_url_is_kept_as_it_is(text: str) -> None:
    assert names.parse_url(text, "url") == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ftp://host/x",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "//host/x",
        "http://",
        "http:///x",
        "http://host:port/",
        "http://host:99999/",
        "http://[::1/",
        "http://user:secret@host/",
        "http://user@host/",
        "http://@host/",
        "http://ho st/",
        "http://host/a b",
        "http://host/\n",
        "\nhttp://host/",
        "http://host/é",
        "http://host\\@evil/",
        'http://host/"><script>',
        "http://2130706433/",
        "http://host/" + "a" * 2048,
        None,
        5,
    ],
    ids=lambda value: ascii(value)[:30],
)
def test_what_is_not_a_plain_http_url_is_refused(text: object) -> None:
    refused(names.parse_url, text)


@given(st.one_of(st.text(), st.integers(), st.none(), st.floats(), st.lists(st.text())))
def test_no_reader_answers_anything_but_a_value_or_a_refusal(value: object) -> None:
    for read in (
        names.parse_name,
        names.parse_hostname,
        names.parse_address,
        names.parse_port,
        names.parse_sha256,
        names.parse_directory,
        names.parse_url,
        lambda text, field: names.parse_text(text, field, 100),
    ):
        try:
            read(value, "field")
        except Invalid as refusal:
            assert refusal.field == "field"


def refused(read: Callable[[Any, str], object], value: object) -> None:
    with pytest.raises(Invalid) as caught:
        read(value, "the_field")
    assert caught.value.field == "the_field"
    assert caught.value.message
    assert caught.value.hint
    if isinstance(value, str) and len(value) > 8:
        assert value not in str(caught.value)

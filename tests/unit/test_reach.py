"""How people write the way to a host."""

from __future__ import annotations

import pytest

from deployer.domain.errors import Invalid
from deployer.domain.reach import is_host_key, parse_fingerprint, parse_jump, parse_labels, parse_user, split_jump
from tests.hostile import MALFORMED_VERSIONS

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ5c8oV7Qv8m0m3rW3cP2dM8m3k7a7xQ0Zb0yq1nq1nq"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("bastion", ("", "bastion", None)),
        ("Bastion.example.org:2222", ("", "bastion.example.org", 2222)),
        ("ops@192.0.2.1", ("ops", "192.0.2.1", None)),
        ("ops@corp@192.0.2.1:22", ("ops@corp", "192.0.2.1", 22)),
        ("ops@[2001:db8::1]:22", ("ops", "2001:db8::1", 22)),
        ("[2001:db8::1]", ("", "2001:db8::1", None)),
    ],
)
def test_a_jump_has_a_user_a_host_and_a_port(text: str, parts: tuple[str, str, int | None]) -> None:
    jump = split_jump(text)
    assert (jump.user, jump.host, jump.port) == parts
    assert split_jump(str(jump)) == jump


@pytest.mark.parametrize(
    "text",
    [
        "",
        "@bastion",
        "ops@",
        "bastion:",
        "bastion:0",
        "bastion:65536",
        "a,b",
        "-oProxyCommand=id",
        "2001:db8::1",
        "[2001:db8::1",
        "[2001:db8::1]22",
        "[2001:db8::1]:",
        "ops@bastion:022",
        "ops bastion",
        "ops@-x",
        "a@b\n",
        "$(id)",
    ],
)
def test_what_is_no_jump_is_refused(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        parse_jump(text)
    assert refused.value.field == "jump"


@pytest.mark.parametrize("text", ["-l", "", "a b", "root;id", "r\u00f6\u00f6t", "x" * 65, "a\n", "\x00", "@x"])
def test_what_is_no_user_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        parse_user(text, "ssh_user")


def test_labels_are_words_in_order_each_once() -> None:
    assert parse_labels(" web,prod  zone=a\nweb ") == ("prod", "web", "zone=a")
    assert parse_labels(" , ") == ()


@pytest.mark.parametrize("text", ["-x", "a*b", "x" * 65, "ä", " ".join(f"l{n}" for n in range(21)), "a\x00", "<b>"])
def test_what_is_no_list_of_labels_is_refused(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        parse_labels(text)
    assert refused.value.field == "labels"


@pytest.mark.parametrize("text", MALFORMED_VERSIONS.values(), ids=MALFORMED_VERSIONS.keys())
def test_what_is_no_fingerprint_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        parse_fingerprint(text)


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        (KEY, True),
        (KEY + " comment", False),
        ("ssh-ed25519", False),
        ("x AAAA", False),
        (KEY + "\n", False),
        ("ssh-rsa " + "A" * 1396, True),  # RSA of 8,192 bits
        ("ssh-rsa " + "A" * 2764, False),  # of 16,384 bits: no index takes it
        ("ssh-rsa " + "A" * 5000, False),
        ("<b> " + "A" * 40, False),
    ],
)
def test_a_host_key_is_a_type_and_base64(text: str, is_one: bool) -> None:
    assert is_host_key(text) is is_one

"""To which addresses a worker may connect because of what somebody typed."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployer.domain.network import NOBODYS, NOTHING_MORE, Permitted, parse_networks

NOBODYS_HOST = {
    "this machine's 0": "0.0.0.0",
    "the cloud's secrets": "169.254.169.254",
    "the cloud's secrets for containers": "169.254.170.2",
    "the cloud's secrets, IPv6": "fd00:ec2::254",
    "another cloud's, IPv6": "fd20:ce::254",
    "another cloud's": "100.100.100.200",
    "an older one's": "192.0.0.192",
    "link-local": "fe80::1",
    "link-local with its zone": "fe80::1%eth0",
    "multicast": "224.0.1.1",
    "multicast, IPv6": "ff02::1",
    "everybody": "255.255.255.255",
    "unspecified": "::",
    "mapped into IPv6": "::ffff:169.254.169.254",
    "mapped into IPv6, in hexadecimal": "::ffff:a9fe:a9fe",
    "through a gateway (NAT64)": "64:ff9b::a9fe:a9fe",
    "through a gateway (6to4)": "2002:a9fe:a9fe::1",
    "compatible with IPv4": "::a9fe:a9fe",
    "0 mapped into IPv6": "::ffff:0.0.0.0",
}
HOSTS = {
    "this machine": "127.0.0.1",
    "this machine, elsewhere": "127.9.9.9",
    "this machine, IPv6": "::1",
    "a private network": "10.1.2.3",
    "another private network": "192.168.1.1",
    "a private network, IPv6": "fd12:3456::1",
    "a carrier's network": "100.64.0.1",
    "private, mapped": "::ffff:10.1.2.3",
    "private, through a gateway": "64:ff9b::a01:203",
}
PUBLIC = {"IPv4": "93.184.215.14", "IPv6": "2606:2800:21f::1", "mapped": "::ffff:93.184.215.14"}
NOTHING = Permitted()


def each(addresses: dict[str, str]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("address", addresses.values(), ids=addresses.keys())


@each(NOBODYS_HOST)
def test_where_no_host_can_be_nobody_asks_anything(address: str) -> None:
    assert not NOTHING.for_host(address)
    assert not NOTHING.for_download(address)


@each(HOSTS)
def test_hosts_are_in_private_networks_and_artifacts_come_from_there_only_when_an_operator_says_so(
    address: str,
) -> None:
    assert NOTHING.for_host(address)
    assert not NOTHING.for_download(address)
    everything = Permitted(parse_networks("10.0.0.0/8 127.0.0.0/8, ::1,192.168.0.0/16 fd12:3456::/32 100.64.0.0/10 "))
    if not address.startswith("64:"):
        assert everything.for_download(address)


@each(PUBLIC)
def test_the_public_internet_may_be_asked(address: str) -> None:
    assert NOTHING.for_host(address)
    assert NOTHING.for_download(address)


@each(NOBODYS_HOST)
def test_a_wide_network_does_not_mean_the_clouds_secrets_in_it(address: str) -> None:
    everything = Permitted(parse_networks("0.0.0.0/0 ::/0"))
    assert not everything.for_host(address)
    assert not everything.for_download(address)


def test_who_names_such_an_address_itself_means_it() -> None:
    named = Permitted(parse_networks("169.254.169.254"))
    assert named.for_host("169.254.169.254")
    assert named.for_download("::ffff:169.254.169.254")
    assert not named.for_host("169.254.169.253")


@given(st.ip_addresses())
def test_any_address_is_judged_and_a_download_is_never_freer_than_a_host(address: object) -> None:
    text = str(address)
    assert NOTHING.for_host(text) or not NOTHING.for_download(text)
    assert NOTHING.for_host(text) or any(ipaddress.ip_address(text) in one for one in NOBODYS) or ":" in text


@pytest.mark.parametrize("text", ["10.0.0.1/8", "10.0.0.0/33", "localhost", "10.0.0.0/8;", "*", "10", "\x00"])
def test_what_is_no_list_of_networks_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"network|address|host bits|octet|10"):
        parse_networks(text)


def test_a_list_without_an_end_is_refused() -> None:
    assert len(parse_networks(" ".join(["10.0.0.1"] * 100))) == 100
    with pytest.raises(ValueError, match="more than 100"):
        parse_networks(" ".join(["10.0.0.1"] * 101))


@pytest.mark.parametrize(
    "address",
    [
        "168.63.129.16",
        "192.0.0.8",
        "::ffff:0:a9fe:a9fe",
        "64:ff9b:1::a9fe:a9fe",
        "2600::5efe:a9fe:a9fe",
        "2600::200:5efe:a9fe:a9fe",
    ],
)
def test_other_ways_to_where_clouds_tell_their_secrets_lead_nowhere(address: str) -> None:
    assert not NOTHING_MORE.for_host(address)
    assert not NOTHING_MORE.for_download(address)

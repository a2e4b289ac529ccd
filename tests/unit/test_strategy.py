"""How a rollout goes over its hosts: the size of its waves, and what a person may type for it."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployer.domain.errors import Invalid
from deployer.domain.hosts import MAX_HOSTS
from deployer.domain.strategy import EVERYTHING, Strategy, WaveSize, parse_stop_after, parse_wave_size

HOSTILE = [
    "0", "00", "01", "-1", "+1", "1.0", "1e3", " 1", "1 ", "1\n", "１", "٣", "²", "1,0", "1_0", "0x10", "NaN", "inf",
    "one", "all", "5 %", "%", "%5", "5%%", "0%", "101%", "100.0%", "-5%", "5%\n", "５%", "99999", "10001", "1" * 5000,
    "null", "None", "1;drop table step", "\x001", "1\x00",
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "hosts", "size"),
    [
        pytest.param("", 7, 7, id="all at once"),
        pytest.param("1", 7, 1, id="one by one"),
        pytest.param("3", 7, 3, id="three"),
        pytest.param("10", 7, 10, id="more than there are"),
        pytest.param("1%", 7, 1, id="at least one"),
        pytest.param("1%", 100, 1, id="exactly one"),
        pytest.param("1%", 101, 2, id="rounded up"),
        pytest.param("25%", 8, 2, id="a quarter"),
        pytest.param("25%", 9, 3, id="a quarter, rounded up"),
        pytest.param("33%", 3, 1, id="a third"),
        pytest.param("34%", 3, 2, id="over a third"),
        pytest.param("99%", 10_000, 9_900, id="of the most there can be"),
        pytest.param("100%", 7, 7, id="all of them"),
    ],
)
def test_a_wave_has_so_many_hosts(text: str, hosts: int, size: int) -> None:
    assert parse_wave_size(text).of(hosts) == size


@given(st.integers(1, 100), st.integers(1, MAX_HOSTS))
def test_a_share_is_never_less_than_was_asked_for_and_never_a_host_more_than_needed(percent: int, hosts: int) -> None:
    size = WaveSize(percent=percent).of(hosts)
    assert 1 <= size <= hosts
    assert (size - 1) * 100 < percent * hosts <= size * 100


@given(
    st.one_of(
        st.just(EVERYTHING),
        st.integers(1, MAX_HOSTS).map(lambda hosts: WaveSize(hosts=hosts)),
        st.integers(1, 100).map(lambda percent: WaveSize(percent=percent)),
    ),
    st.integers(1, 300),
)
def test_waves_follow_each_other_without_a_gap_and_all_but_the_last_are_full(size: WaveSize, hosts: int) -> None:
    assert parse_wave_size(str(size)) == size
    waves = [Strategy(size).wave_of(position, hosts) for position in range(hosts)]
    assert waves == sorted(waves)
    assert set(waves) == set(range(1, waves[-1] + 1))
    assert all(waves.count(wave) == size.of(hosts) for wave in range(1, waves[-1]))


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_else_is_the_size_of_a_wave(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        parse_wave_size(text)
    assert refused.value.field == "wave_size"


@pytest.mark.parametrize("text", [*HOSTILE, "", "5%", "100%"])
def test_nothing_else_is_a_number_of_failed_hosts(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        parse_stop_after(text)
    assert refused.value.field == "stop_after"


@pytest.mark.parametrize(("text", "number"), [("1", 1), ("10", 10), (str(MAX_HOSTS), MAX_HOSTS)])
def test_a_number_of_failed_hosts_is_a_whole_number(text: str, number: int) -> None:
    assert parse_stop_after(text) == number


@given(st.text(max_size=8))
def test_whatever_is_typed_is_read_or_refused_and_what_is_read_stays_the_same(text: str) -> None:
    with contextlib.suppress(Invalid):
        assert str(parse_wave_size(text)) == text

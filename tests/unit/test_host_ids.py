"""S10, S11: the host list is ``all`` or strict ids."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployer.domain.errors import Invalid
from deployer.domain.hosts import MAX_HOSTS, HostChoice, parse_host_ids
from deployer.domain.ids import MAX_ID
from tests.hostile import MALFORMED_HOSTS


def test_all_means_everyone() -> None:
    assert parse_host_ids("all") == HostChoice(everyone=True)


def test_ids_are_kept_in_the_order_sent() -> None:
    assert parse_host_ids("3,5,9") == HostChoice(everyone=False, ids=(3, 5, 9))


def test_the_largest_id_is_read() -> None:
    assert parse_host_ids(str(MAX_ID)).ids == (MAX_ID,)


def test_exactly_the_limit_is_accepted() -> None:
    assert len(parse_host_ids(",".join(str(n) for n in range(1, MAX_HOSTS + 1))).ids) == MAX_HOSTS


@pytest.mark.parametrize("text", MALFORMED_HOSTS.values(), ids=MALFORMED_HOSTS.keys())
def test_anything_else_is_refused_at_the_host_field(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        parse_host_ids(text)
    assert refused.value.field == "host"
    assert refused.value.hint


@given(st.text(max_size=40))
def test_what_is_accepted_reads_back_as_it_was_sent(text: str) -> None:
    try:
        choice = parse_host_ids(text)
    except Invalid:
        return
    assert text == ("all" if choice.everyone else ",".join(str(one) for one in choice.ids))


@given(st.lists(st.integers(1, MAX_ID), min_size=1, max_size=50, unique=True))
def test_every_list_of_distinct_ids_is_accepted(ids: list[int]) -> None:
    assert parse_host_ids(",".join(map(str, ids))).ids == tuple(ids)

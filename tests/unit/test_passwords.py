"""Which passwords may be used."""

from __future__ import annotations

import pytest

from deployer.domain.errors import Invalid
from deployer.domain.passwords import check_password_rules


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery",
        "tr0ub4dor&3 in the rain",
        "正确的马电池订书钉们和灯",
        "x9!kQ2#vL7p$",
        "bcdefgh " * 127,
    ],
)
def test_a_long_password_is_taken(password: str) -> None:
    check_password_rules(password, "ann")


@pytest.mark.parametrize(
    ("password", "name"),
    [
        ("eleven char", "ann"),
        ("x" * 1025, "ann"),
        ("annabella in the rain", "anna"),
        ("ANNA AND THE KING", "anna"),
        ("Password1234!", "ann"),
        ("P4$$w0rd12345", "ann"),
        ("123456789012", "ann"),
        ("administrator2026", "ann"),
        ("aaaaaaaaaaaaaa", "ann"),
        ("abababababab", "ann"),
        ("Qwertyuiop123", "ann"),
        ("changeme2026!", "ann"),
    ],
)
def test_a_password_that_is_short_or_guessed_first_is_refused(password: str, name: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_password_rules(password, name)
    assert refused.value.field == "password"
    assert password not in str(refused.value)

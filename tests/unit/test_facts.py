"""What a host says of itself, and what is made of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from deployer.domain.facts import CheckState, HostFacts, read_facts, size, warnings

SAID = """Welcome to web-1!
deployer:clock=1000
deployer:user=deploy
deployer:missing=flock
deployer:missing=mv -T
deployer:proc=yes
deployer:os="Debian GNU/Linux 12 (bookworm)"
deployer:kernel=Linux 6.1
deployer:directory=writable
deployer:disk_total=8388608
deployer:disk_free=4194304
deployer:memory_total=1024
deployer:memory_free=512
deployer:end=yes""".splitlines()
FINE = HostFacts("Debian", "deploy", "writable", (), True, 5 << 30, 10 << 30, None, None, 1.0, 0.1)


def test_facts_are_read_between_other_lines() -> None:
    facts = read_facts(SAID, 999.9, 1000.1)
    assert facts is not None
    assert (facts.os, facts.user, facts.missing) == ("Debian GNU/Linux 12 (bookworm)", "deploy", ("flock", "mv -T"))
    assert (facts.disk_free, facts.disk_total, facts.memory_free) == (4 << 30, 8 << 30, 512 << 10)
    assert (facts.skew, facts.round_trip) == (0.5, 0.2)
    assert HostFacts.load(facts.dump()) == facts
    assert HostFacts.load({**facts.dump(), "refused": ["why"]}).refused == ("why",)
    kept_by_an_older_worker = {name: value for name, value in facts.dump().items() if name != "refused"}
    assert HostFacts.load(kept_by_an_older_worker) == facts


@pytest.mark.parametrize("lines", [[], ["nothing"], SAID[:-1], [one for one in SAID if "directory" not in one]])
def test_an_answer_that_is_not_whole_is_none(lines: list[str]) -> None:
    assert read_facts(lines, 0, 0) is None


def test_a_hostile_answer_is_bounded_and_its_numbers_are_numbers() -> None:
    lines = [
        "deployer:os=" + "x" * 9999,
        "deployer:disk_free=-1",
        "deployer:disk_total=" + "9" * 50,
        "deployer:clock=١",
    ]
    facts = read_facts([*lines, "deployer:directory=writable", "deployer:end=yes"], 0, 0)
    assert facts is not None
    assert (len(facts.os), facts.disk_free, facts.disk_total, facts.skew) == (200, None, None, None)


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        pytest.param(FINE, [], id="nothing"),
        pytest.param(replace(FINE, missing=("tar", "flock")), ["tar, flock", "Install"], id="programs"),
        pytest.param(replace(FINE, proc=False), ["no /proc", "Mount it"], id="no /proc"),
        pytest.param(replace(FINE, directory="can be made"), [], id="directory can be made"),
        pytest.param(replace(FINE, directory="not writable"), ["User deploy cannot write", "Give it"], id="directory"),
        pytest.param(replace(FINE, directory="cannot be made"), ["cannot make it", "Make it"], id="no directory"),
        pytest.param(replace(FINE, directory="no directory"), ["something else"], id="a file"),
        pytest.param(replace(FINE, disk_free=1 << 30), [], id="1 GiB and 10 %"),
        pytest.param(replace(FINE, disk_free=(1 << 30) - 1), ["1024.0 MiB are free", "Make room"], id="below 1 GiB"),
        pytest.param(replace(FINE, disk_free=9 << 30, disk_total=100 << 30), ["9.0 GiB", "10 %"], id="below 10 %"),
        pytest.param(replace(FINE, disk_free=None), [], id="disk not known"),
        pytest.param(replace(FINE, refused=("No SFTP. Set it.",)), ["may fail here: No SFTP. Set it."], id="no files"),
        pytest.param(replace(FINE, skew=5.05), [], id="5 s"),
        pytest.param(replace(FINE, skew=61.2), ["61 s ahead", "time server"], id="ahead"),
        pytest.param(replace(FINE, skew=-7.0), ["7 s behind", "time server"], id="behind"),
        pytest.param(replace(FINE, skew=7.0, round_trip=5.0), [], id="within the time that asking took"),
    ],
)
def test_what_has_to_be_mended_is_said_with_how(facts: HostFacts, words: list[str]) -> None:
    said = " ".join(map(str, warnings(facts)))
    assert bool(said) is bool(words)
    for word in words:
        assert word in said


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (5 << 30, "5.0 GiB"), (3 << 40, "3.0 TiB")]
)
def test_a_size_reads_well(number: int, text: str) -> None:
    assert size(number) == text


def test_a_check_that_never_was_is_neither_good_nor_bad() -> None:
    assert CheckState.of(None, "") is CheckState.NEVER

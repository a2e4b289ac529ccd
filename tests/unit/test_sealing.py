"""What is sealed is opened by who holds the key, under the name that it was sealed for, and by nobody else."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from deployer import sealing
from deployer.domain.reach import Credential, CredentialKind, Secret
from deployer.sealing import BadKeys, CannotOpen, Keys, held, renewed, seal

SECRET = Secret("-----BEGIN …", "open sesame", "")


def test_a_secret_is_opened_by_the_worker_it_was_sealed_for(tmp_path: Path) -> None:
    keys = held(tmp_path, {})
    sealed = seal(SECRET, "deploy", keys.publics[0])
    assert keys.open(sealed, "deploy") == SECRET
    for word in (b"BEGIN", b"sesame", b"deploy"):
        assert word not in sealed
    assert seal(SECRET, "deploy", keys.publics[0]) != sealed
    assert sealing.open_credential(tmp_path, Credential(1, "deploy", CredentialKind.KEY, "", sealed)) == SECRET


def test_a_worker_whose_keys_are_gone_says_so_and_makes_no_others(tmp_path: Path) -> None:
    sealed = seal(SECRET, "deploy", held(tmp_path, {}).publics[0])
    (tmp_path / "credential.key").unlink()
    with pytest.raises(CannotOpen, match="The keys of this worker are gone; the credential deploy cannot be opened"):
        sealing.open_credential(tmp_path, Credential(1, "deploy", CredentialKind.KEY, "", sealed))
    assert not (tmp_path / "credential.key").exists()


def test_nobody_else_opens_it_and_not_under_another_name(tmp_path: Path) -> None:
    keys = held(tmp_path / "a", {})
    sealed = seal(SECRET, "deploy", keys.publics[0])
    for who, what, name in (
        (held(tmp_path / "b", {}), sealed, "deploy"),
        (keys, sealed, "other"),
        (keys, sealed[:-1], "deploy"),
        (keys, sealed[:70] + bytes([sealed[70] ^ 1]) + sealed[71:], "deploy"),
        (keys, sealed[:40] + bytes([sealed[40] ^ 1]) + sealed[41:], "deploy"),
        (keys, b"\x02" + sealed[1:], "deploy"),
        (keys, sealed[:40], "deploy"),
        (keys, b"", "deploy"),
    ):
        with pytest.raises(CannotOpen):
            who.open(what, name)


def test_the_key_is_made_once_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    keys = held(tmp_path / "home", {})
    file = tmp_path / "home" / "credential.key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert held(tmp_path / "home", {}) == keys
    assert [one.name for one in file.parent.iterdir()] == ["credential.key"]
    file.chmod(0o644)
    with pytest.raises(BadKeys, match="chmod 600"):
        held(tmp_path / "home", {})


def test_a_new_key_stands_before_the_old_one_which_still_opens(tmp_path: Path) -> None:
    old = held(tmp_path, {})
    sealed = seal(SECRET, "deploy", old.publics[0])
    new = renewed(tmp_path, {})
    assert new.publics[1:] == old.publics
    assert new.publics[0] != old.publics[0]
    assert new.open(sealed, "deploy") == SECRET
    assert held(tmp_path, {}) == new
    assert stat.S_IMODE((tmp_path / "credential.key").stat().st_mode) == 0o600


def test_keys_of_the_environment_take_the_place_of_the_file(tmp_path: Path) -> None:
    words = (tmp_path / "a", tmp_path / "b")
    texts = [((held(home, {}), home / "credential.key")[1]).read_text().strip() for home in words]
    keys = held(tmp_path / "none", {"CREDENTIAL_KEYS": ", ".join(texts)})
    assert keys.publics == tuple(held(home, {}).publics[0] for home in words)
    assert renewed(tmp_path / "none", {"CREDENTIAL_KEYS": ",".join(texts)}) == keys
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("text", ["x", "AAAA", ",", "é", "A" * 44 + ",", "A" * 43 + "=,short"])
def test_keys_that_are_none_are_refused_and_not_repeated(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadKeys) as refused:
        held(tmp_path, {"CREDENTIAL_KEYS": text})
    assert "CREDENTIAL_KEYS is not a list of keys" in str(refused.value)
    assert len(text) < 4 or text not in str(refused.value)


def test_no_key_and_no_secret_is_ever_printed(tmp_path: Path) -> None:
    keys = held(tmp_path, {})
    assert repr(keys) == "Keys()"
    assert repr(Secret("a", "b", "c")) == "Secret()"
    assert Keys(keys.privates) == keys

"""A private key is known by the fingerprint of its public half, as ssh-keygen prints it."""

from __future__ import annotations

import base64
import shutil
import subprocess
from pathlib import Path

import pytest

from deployer.domain.errors import Invalid
from deployer.privatekeys import public_of
from tests import secrets
from tests.conftest import need
from tests.sshd import make_key, missing_sshd


@pytest.mark.parametrize(("make", "passphrase"), [(secrets.openssh, ""), (secrets.old_rsa, "")], ids=["ed25519", "rsa"])
def test_a_fingerprint_is_that_of_ssh_keygen(tmp_path: Path, make: object, passphrase: str) -> None:
    need(None if shutil.which("ssh-keygen") else "ssh-keygen is not installed")
    text = make()  # type: ignore[operator]
    file = tmp_path / "key"
    file.write_text(text)
    file.chmod(0o600)
    said = subprocess.check_output(["ssh-keygen", "-lf", str(file)], text=True)
    assert public_of(text, passphrase).partition(" ")[0] == said.split()[1]


def test_a_passphrase_opens_a_key_and_its_absence_and_a_wrong_one_are_told_apart() -> None:
    text = secrets.pem()
    assert public_of(text, secrets.PASSPHRASE).endswith("(ecdsa-sha2-nistp256)")
    for passphrase, words in (("", "has a passphrase"), ("wrong", "with this passphrase")):
        with pytest.raises(Invalid, match=words) as refused:
            public_of(text, passphrase)
        assert refused.value.field == "passphrase"
    with pytest.raises(Invalid, match="has no passphrase"):
        public_of(secrets.openssh(), "some")


def test_a_key_that_would_keep_a_thread_busy_for_hours_is_refused_at_once(tmp_path: Path) -> None:
    need(missing_sshd())
    begin, *lines, end = make_key(tmp_path / "key", passphrase="x").read_text().splitlines()
    data = base64.b64decode("".join(lines))
    at = data.index(b"bcrypt") + len(b"bcrypt") + 4 + 4 + 16  # after the two lengths and the salt
    assert 1 <= int.from_bytes(data[at : at + 4]) <= 100
    for rounds in (1_001, 2**32 - 1):
        slow = base64.b64encode(data[:at] + rounds.to_bytes(4) + data[at + 4 :]).decode()
        with pytest.raises(Invalid, match="takes too long to check") as refused:
            public_of(f"{begin}\n{slow}\n{end}\n", "x")
        assert refused.value.field == "key"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "ssh-ed25519 AAAA",
        "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n",
        "-----BEGIN PRIVATE KEY-----",
        "\x00",
        "\ud800",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
    ],
)
def test_what_is_no_private_key_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        public_of(text, "")
    assert refused.value.field == "key"
    assert "AAAA" not in str(refused.value)

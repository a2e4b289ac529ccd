"""A private key is known by the fingerprint of its public half, as ssh-keygen prints it."""

from __future__ import annotations

import base64
import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

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


def der(tag: int, content: bytes) -> bytes:
    """One value of ASN.1, as long as it has to be."""
    size = len(content).to_bytes(4).lstrip(b"\0") or b"\0"
    return bytes([tag]) + (size if len(content) < 0x80 else bytes([0x80 | len(size)]) + size) + content


def number(value: int) -> bytes:
    return der(2, value.to_bytes(9).lstrip(b"\0").rjust(1, b"\0") if value < 0x80 else b"\0" + value.to_bytes(8))


def sequence(*parts: bytes) -> bytes:
    return der(0x30, b"".join(parts))


def encrypted(kdf: bytes) -> str:
    """An encrypted key in PKCS #8: what is encrypted does not matter, for the passphrase is tried before."""
    aes = sequence(der(6, bytes.fromhex("60864801650304012a")), der(4, bytes(16)))
    algorithm = sequence(der(6, bytes.fromhex("2a864886f70d01050d")), sequence(kdf, aes))  # PBES2
    text = base64.encodebytes(sequence(algorithm, der(4, bytes(64)))).decode()
    return f"-----BEGIN ENCRYPTED PRIVATE KEY-----\n{text}-----END ENCRYPTED PRIVATE KEY-----\n"


def pbkdf2(iterations: int) -> str:
    hashed = sequence(der(6, bytes.fromhex("2a864886f70d0209")), der(5, b""))  # HMAC with SHA-256
    return encrypted(
        sequence(der(6, bytes.fromhex("2a864886f70d01050c")), sequence(der(4, bytes(8)), number(iterations), hashed))
    )


def scrypt(n: int, r: int, p: int) -> str:
    oid = der(6, bytes.fromhex("2b060104 01da47040b"))
    return encrypted(sequence(oid, sequence(der(4, bytes(8)), number(n), number(r), number(p))))


def pbes1(iterations: int) -> str:
    """By the older scheme, as openssl pkcs8 -v1 writes it: SHA-1 and 3-DES."""
    algorithm = sequence(der(6, bytes.fromhex("2a864886f70d010c0103")), sequence(der(4, bytes(8)), number(iterations)))
    text = base64.encodebytes(sequence(algorithm, der(4, bytes(64)))).decode()
    return f"-----BEGIN ENCRYPTED PRIVATE KEY-----\n{text}-----END ENCRYPTED PRIVATE KEY-----\n"


SLOW = {
    "pbkdf2": pbkdf2(5_000_001),
    "pbkdf2, for years": pbkdf2(2**62),
    "pbes1": pbes1(5_000_001),
    "scrypt that needs a gibibyte": scrypt(2**20, 8, 1),
    "scrypt again and again": scrypt(2**14, 8, 1_000),
    "scrypt in wide blocks": scrypt(2, 2**28, 1),
    "behind a key that is none": f"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n{pbkdf2(2**40)}",
    "among blanks": pbkdf2(2**40).replace("\n", " \n\t", 1),
}


@pytest.mark.parametrize("text", SLOW.values(), ids=SLOW)
def test_a_passphrase_that_takes_too_long_to_check_is_not_checked(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        pytest.fail("it was checked")

    monkeypatch.setattr(serialization, "load_pem_private_key", never)
    with pytest.raises(Invalid, match="takes too long to check") as refused:
        public_of(text, "x")
    assert refused.value.field == "key"


BEARABLE = {"pbkdf2": pbkdf2(100_000), "pbes1": pbes1(100_000), "scrypt": scrypt(2**14, 8, 1)}


@pytest.mark.parametrize("text", BEARABLE.values(), ids=BEARABLE)
def test_a_passphrase_is_checked_with_the_costs_that_people_choose(text: str) -> None:
    with pytest.raises(Invalid, match="cannot be read with this passphrase"):
        public_of(text, "x")


@pytest.mark.parametrize("data", [b"", b"\x30", b"\x30\x84\xff\xff\xff\xff", b"\x30\x80" * 500, b"\x02" * 3_000])
def test_an_encrypted_key_whose_cost_cannot_be_read_is_none(data: bytes) -> None:
    text = base64.encodebytes(data).decode()
    with pytest.raises(Invalid, match=r"cannot be read|not a private key"):
        public_of(f"-----BEGIN ENCRYPTED PRIVATE KEY-----\n{text}-----END ENCRYPTED PRIVATE KEY-----\n", "x")


def test_a_dash_in_an_openssh_key_hides_no_rounds(tmp_path: Path) -> None:
    need(missing_sshd())
    begin, *lines, end = make_key(tmp_path / "key", passphrase="x").read_text().splitlines()
    data = base64.b64decode("".join(lines))
    at = data.index(b"bcrypt") + len(b"bcrypt") + 4 + 4 + 16
    slow = base64.b64encode(data[:at] + (10**6).to_bytes(4) + data[at + 4 :]).decode()
    with pytest.raises(Invalid, match="takes too long to check"):
        public_of(f"{begin}\n-{slow}\n{end}\n", "x")

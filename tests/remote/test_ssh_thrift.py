"""What a connection must not cost."""

from __future__ import annotations

import asyncio
from asyncio import selector_events
from pathlib import Path

import pytest

from tests.remote.reaching import greet, reach
from tests.sshd import Sshd


def test_packets_of_one_turn_go_out_in_one_write(
    sshd: Sshd, user: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes = 0
    write = selector_events._SelectorSocketTransport.write  # type: ignore[attr-defined]

    def counted(self: asyncio.Transport, data: bytes) -> None:
        nonlocal writes
        writes += 1
        write(self, data)

    monkeypatch.setattr(selector_events._SelectorSocketTransport, "write", counted)  # type: ignore[attr-defined]
    assert reach(sshd.target(tmp_path), user, greet) == "hello"
    # Version, our choices, key exchange; who we are in three questions; session, command, its input; and the end.
    assert 8 <= writes <= 14


@pytest.mark.parametrize(
    ("host", "worker", "chosen"),
    [
        ("", "", "aes128-gcm@openssh.com"),
        ("Ciphers chacha20-poly1305@openssh.com", "", "chacha20-poly1305@openssh.com"),
        ("", "Ciphers aes256-ctr\n", "aes256-ctr"),
    ],
    ids=["cheapest", "host", "worker"],
)
def test_the_cheapest_cipher_is_used_unless_the_host_or_the_workers_settings_want_another(
    host: str, worker: str, chosen: str, user: Path, tmp_path: Path
) -> None:
    (user / ".ssh" / "config").write_text(worker)
    with Sshd(tmp_path / "sshd", ("LogLevel DEBUG1", *filter(None, [host]))) as sshd:
        assert reach(sshd.target(tmp_path), user, greet) == "hello"
        assert f"client->server cipher: {chosen} " in sshd.log()

"""The embedded Redis: found, started on a private socket, and never longer alive than whoever started it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from deployer import embedded
from deployer.config import Settings, read_settings


def settings_in(home: Path) -> Settings:
    """Settings with nothing but a home."""
    return read_settings({"DEPLOYER_HOME": str(home)})


@pytest.mark.parametrize("name", ["plain", "with blanks %41 and ?", "long-" * 30], ids=["plain", "odd", "long"])
def test_it_answers_on_a_socket_of_its_own(tmp_path: Path, name: str) -> None:
    settings = settings_in(tmp_path / name)
    with embedded.running(settings) as server:
        assert server is not None
        assert embedded.answers(settings.redis_url)
        assert settings.redis_socket.stat().st_mode & 0o077 == 0
        assert settings.redis_socket.parent.stat().st_mode & 0o077 == 0

    assert not embedded.answers(settings.redis_url)


def test_the_second_to_ask_shares_the_first_ones(tmp_path: Path) -> None:
    settings = settings_in(tmp_path / "home")
    with embedded.running(settings):
        with embedded.running(settings) as second:
            assert second is None
        assert embedded.answers(settings.redis_url)


def test_it_keeps_its_data_over_a_kill_and_finds_no_stale_socket_in_its_way(tmp_path: Path) -> None:
    settings = settings_in(tmp_path / "home")
    with embedded.running(settings) as server, embedded.connect(settings.redis_url) as connection:
        assert server is not None
        connection.set("kept", "yes")
        connection.execute_command("WAITAOF", 1, 0, 2000)  # it writes to the disk once a second
        server.kill()
        server.wait()
    with embedded.running(settings), embedded.connect(settings.redis_url) as connection:
        assert connection.get("kept") == b"yes"


def test_it_dies_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    program = (
        "import sys, time\n"
        "from deployer import embedded, config\n"
        "with embedded.running(config.read_settings()):\n"
        "    print('up', flush=True)\n"
        "    time.sleep(60)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program],
        env={**os.environ, "DEPLOYER_HOME": str(tmp_path)},
        stdout=subprocess.PIPE,
        text=True,
    )
    settings = settings_in(tmp_path)
    with parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "up\n"
        assert embedded.answers(settings.redis_url)
        parent.send_signal(signal.SIGKILL)
    until = time.monotonic() + 5
    while embedded.answers(settings.redis_url) and time.monotonic() < until:
        time.sleep(0.02)

    assert not embedded.answers(settings.redis_url)


def test_one_that_dies_is_started_again_by_whoever_looks_after_it(tmp_path: Path) -> None:
    settings = settings_in(tmp_path / "home")
    with embedded.running(settings) as server, embedded.kept(settings) as keeper:
        assert server is not None
        keeper.tend()
        assert server.poll() is None
        server.kill()
        server.wait()
        keeper.tend()
        assert embedded.answers(settings.redis_url)
    assert not embedded.answers(settings.redis_url)


def test_an_address_of_ones_own_starts_nothing(tmp_path: Path) -> None:
    settings = read_settings({"DEPLOYER_HOME": str(tmp_path), "REDIS_URL": "redis://127.0.0.1:1/0"})
    with embedded.running(settings) as server:
        assert server is None


def test_a_server_on_the_path_is_taken_before_the_one_of_the_wheel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "redis-server"
    own.write_text("#!/bin/sh\nexit 1\n")
    own.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    assert embedded.find_server() == str(own)


def test_without_any_server_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(embedded.NoRedis, match="REDIS_URL"):
        embedded.find_server()


def test_a_server_that_does_not_start_is_told_with_its_last_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "valkey-server"
    broken.write_text("#!/bin/sh\necho it has no memory left\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with (
        pytest.raises(embedded.NoRedis, match=r"(?s)exit status 3.*no memory left"),
        embedded.running(settings_in(tmp_path / "home")),
    ):
        pass

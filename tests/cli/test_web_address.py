"""`deployer web --bind`: an address that cannot be right is refused, and one that is taken is told in one line."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Console, Started


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """Somebody else who listens."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield listening


@pytest.mark.parametrize(
    "bind",
    [
        "",
        " ",
        "nonsense",
        "8000",
        ":8000",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:0",
        "127.0.0.1:99999",
        "127.0.0.1:٣٣٣٣",
        "127.0.0.1:80:80",
        "127.0.0.1:8000\n",
        "http://127.0.0.1:8000",
        "a b:8000",
        "::1:8000",
        "[::1]",
        "[::x]:8000",
        "fd://",
        "fd://99",
        "fd://-1",
        "fd://x",
        "fd://99999999999999999999",
        "unix:",
        "unix:/nowhere/at/all/web.sock",
        "unix:/dev/null",
        "unix:/tmp",
        "unix:/tmp/" + "x" * 200,
    ],
)
def test_an_address_that_cannot_be_right_is_refused_with_what_to_write(deployer: Console, bind: str) -> None:
    result = deployer("web", "--bind", bind)

    assert result.exit_code == 2, result.output
    assert "Invalid value for '--bind'" in result.stderr


def test_a_descriptor_that_is_no_listening_socket_is_refused(deployer: Console, tmp_path: Path) -> None:
    with (tmp_path / "file").open("w") as file, socket.socket() as idle:
        for open_one in (file, idle):
            result = deployer("web", "--bind", f"fd://{open_one.fileno()}")

            assert result.exit_code == 2, result.output
            assert "is no listening socket" in result.stderr


def test_a_port_that_is_taken_is_told_in_one_line(deployer: Console, listener: socket.socket) -> None:
    address = f"127.0.0.1:{listener.getsockname()[1]}"
    result = deployer("web", "--bind", address)

    assert result.exit_code == 1
    assert result.stderr == (
        f"{address} cannot be used: Address already in use. "
        "Stop who listens there, or choose another one with --bind.\n"
    )


def test_a_socket_on_which_somebody_listens_is_left_to_them(deployer: Console, tmp_path: Path) -> None:
    path = tmp_path / "web.sock"
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()
        result = deployer("web", "--bind", f"unix:{path}")

    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 1
    assert "Address already in use" in result.stderr


def test_a_host_that_is_not_this_machine_is_told_in_one_line(deployer: Console) -> None:
    result = deployer("web", "--bind", "192.0.2.7:8000")

    assert result.exit_code == 1
    assert result.stderr.startswith("192.0.2.7:8000 cannot be used: ")
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0", "[::1]"])
def test_a_free_port_is_served(deployer: Console, host: str) -> None:
    if host == "[::1]" and not os.access("/proc/net/if_inet6", os.R_OK):
        pytest.skip("this machine has no IPv6")
    with socket.socket() as probe:
        probe.bind(("", 0))  # free at every address
        address = f"{host}:{probe.getsockname()[1]}"
    result = None
    with pytest.raises(Started) as started:
        result = deployer("web", "--bind", address)

    assert result is None
    assert address in started.value.args[0]


def test_a_socket_in_the_file_system_is_served_also_over_a_stale_one(deployer: Console, tmp_path: Path) -> None:
    path = tmp_path / "web.sock"
    for _ in range(2):
        with pytest.raises(Started):
            deployer("web", "--bind", f"unix:{path}")
        with socket.socket(socket.AF_UNIX) as gone:
            path.unlink(missing_ok=True)
            gone.bind(str(path))


def test_an_open_descriptor_is_served(deployer: Console, listener: socket.socket) -> None:
    with pytest.raises(Started):
        deployer("web", "--bind", f"fd://{listener.fileno()}")

    assert listener.getsockname()[1]  # it is still open

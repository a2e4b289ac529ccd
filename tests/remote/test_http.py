"""One HTTP request to a host: every way an answer can end, and every way it can go wrong."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time

import pytest

from deployer.remote import http
from deployer.remote.local import LocalRunner
from deployer.remote.runner import AddressNotPermitted, BadAnswer, TimedOut, Unreachable


def answered(*parts: bytes, deadline: float = 5, pause: float = 0) -> http.Answer:
    """What ``http.get`` makes of a server that sends ``parts`` and hangs up."""

    def serve(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection, contextlib.suppress(OSError):
            connection.recv(4096)
            for part in parts:
                connection.sendall(part)
                time.sleep(pause)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=serve, args=(listener,))
        server.start()
        try:
            port = listener.getsockname()[1]
            return asyncio.run(http.get(LocalRunner("127.0.0.1", "/"), "127.0.0.1", port, "/version", deadline))
        finally:
            server.join()


@pytest.mark.parametrize(
    ("answer", "status", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n1.2.3 and more", 200, "1.2.3"),
        (b"HTTP/1.0 500 Oh\r\n\r\nuntil the end", 500, "until the end"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n1.2\r\n2;x=y\r\n.3\r\n0\r\n\r\n", 200, "1.2.3"),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204\r\nContent-Length: 0\r\n\r\n", 204, ""),
        (b"HTTP/1.0 200 OK\r\n\r\n\xff", 200, "�"),
    ],
    ids=["length", "until the end", "chunked", "interim answer", "not utf-8"],
)
def test_every_way_to_end_a_body_is_understood(answer: bytes, status: int, body: str) -> None:
    assert answered(answer) == http.Answer(status, body)


def test_an_endless_body_is_read_up_to_its_bound() -> None:
    assert len(answered(b"HTTP/1.0 200 OK\r\n\r\n", b"x" * 300_000).body) == http.MAX_BODY


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"",
        b"x" * 100_000,
    ],
    ids=["another protocol", "cut short", "negative length", "bad chunk", "nothing", "no end"],
)
def test_an_answer_that_is_not_http_is_refused(answer: bytes) -> None:
    with pytest.raises(BadAnswer, match="no complete HTTP answer to GET /version"):
        answered(answer)


def test_a_time_out_names_what_was_waited_for() -> None:
    with pytest.raises(TimedOut, match=r"Waiting for the answer to GET /version took longer than 0\.2 s"):
        answered(b"HTTP/1.1 ", b"", deadline=0.2, pause=0.3)
    with pytest.raises(TimedOut, match="Reading the answer"):
        answered(b"HTTP/1.1 200 OK\r\n\r\n", b"", deadline=0.2, pause=0.3)


def test_a_closed_port_is_unreachable_and_says_so() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        with pytest.raises(Unreachable, match=f"Port {port} does not take connections: Connection refused"):
            asyncio.run(http.get(LocalRunner("127.0.0.1", "/"), "127.0.0.1", port, "/", 5))


def test_no_redirect_is_followed() -> None:
    """A service says how it is itself; where else it sends us is not asked."""
    answer = answered(b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n")
    assert (answer.status, answer.ok) == (302, False)


@pytest.mark.parametrize("address", ["169.254.169.254", "::ffff:169.254.169.254", "fe80::1", "0.0.0.0", "224.0.0.1"])
def test_nothing_is_asked_where_no_host_can_be(address: str) -> None:
    with pytest.raises(AddressNotPermitted, match="where no host can be"):
        asyncio.run(http.get(LocalRunner(address, "/"), address, 80, "/latest/meta-data/", 5))


def test_a_name_is_judged_by_what_it_resolves_to(monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda _host, *args, **kwargs: real("169.254.169.254", *args, **kwargs))
    with pytest.raises(AddressNotPermitted, match=r"leads to 169\.254\.169\.254"):
        asyncio.run(http.get(LocalRunner("web-1.example", "/"), "web-1.example", 80, "/", 5))

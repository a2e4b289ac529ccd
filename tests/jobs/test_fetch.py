"""Artifacts that come from an address: the right one, once, in time, or a reason."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import socket
import ssl
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from deployer import artifacts
from deployer.domain.network import Permitted, parse_networks
from deployer.jobs import fetch

CONTENT = b"an archive" * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()
HERE = Permitted(parse_networks("127.0.0.0/8"))
Say = Callable[[bytes], None]


class Source:
    """A server that answers every connection with what ``speak`` says."""

    def __init__(self, address: str = "127.0.0.1") -> None:
        self.asked = 0
        self.closing = threading.Event()
        self.speak: Callable[[Say], None] = lambda say: say(b"HTTP/1.0 200 OK\r\n\r\n" + CONTENT)
        self.listener = socket.create_server((address, 0))
        self.url = f"http://{address}:{self.listener.getsockname()[1]}/a.tgz"
        self.threads: list[threading.Thread] = []
        self.main = threading.Thread(target=self._accept)
        self.main.start()

    def _accept(self) -> None:
        while not self.closing.is_set():
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.asked += 1
            thread = threading.Thread(target=self._serve, args=[connection])
            thread.start()
            self.threads.append(thread)

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                connection.recv(65536)
                self.speak(connection.sendall)
            except OSError:
                pass

    def close(self) -> None:
        self.closing.set()
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for thread in [self.main, *self.threads]:
            thread.join(10)


@pytest.fixture
def source() -> Iterator[Source]:
    found = Source()
    yield found
    found.close()


def get(store: Path, url: str, sha256: str = SHA256, deadline: float = 20) -> Path | None:
    return asyncio.run(fetch.artifact(fetch.Store(store, HERE), sha256, url, deadline))


def test_an_artifact_is_fetched_once_and_then_kept(tmp_path: Path, source: Source) -> None:
    for _ in range(2):
        file = get(tmp_path, source.url)
        assert file is not None
        assert file.read_bytes() == CONTENT
    assert source.asked == 1


def test_steps_that_want_the_same_artifact_share_one_download(tmp_path: Path, source: Source) -> None:
    async def many() -> list[Path | None]:
        return await asyncio.gather(
            *(fetch.artifact(fetch.Store(tmp_path, HERE), SHA256, source.url) for _ in range(20))
        )

    assert set(asyncio.run(many())) == {artifacts.path_of(tmp_path, SHA256)}
    assert source.asked == 1


def test_what_is_not_the_recorded_artifact_is_thrown_away_and_nothing_else_is(tmp_path: Path, source: Source) -> None:
    innocent = get(tmp_path, source.url)  # the same content is another version's artifact
    with pytest.raises(fetch.FetchFailed, match=SHA256):
        get(tmp_path, source.url, "0" * 64)
    assert innocent is not None
    assert innocent.read_bytes() == CONTENT
    assert [path.name for path in tmp_path.iterdir()] == [SHA256]


def test_a_server_that_trickles_is_given_up_at_the_deadline(tmp_path: Path, source: Source) -> None:
    def trickle(say: Say) -> None:
        say(b"HTTP/1.0 200 OK\r\nContent-Length: 100000000\r\n\r\n")
        while not source.closing.wait(0.05):
            say(b"x")

    source.speak = trickle
    began = time.monotonic()
    with pytest.raises(fetch.FetchFailed, match=r"longer than 0\.5 s"):
        get(tmp_path, source.url, deadline=0.5)
    assert time.monotonic() - began < 10
    for _ in range(100):
        if not list(tmp_path.iterdir()):
            break
        time.sleep(0.05)
    assert list(tmp_path.iterdir()) == [], "the download went on"


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"HELLO\r\n\r\n", id="not HTTP"),
        pytest.param(b"HTTP/1.1 500 \x1b[31mEvil\x00<script>\r\n\r\n", id="an error with control characters"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nshort", id="cut off"),
        pytest.param(b"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\n\r\n", id="a redirect to a file"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_a_server_that_does_not_deliver_is_named_as_the_cause(tmp_path: Path, source: Source, answer: bytes) -> None:
    source.speak = lambda say: say(answer)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # urllib leaves such an answer's socket to the collector
        with pytest.raises(fetch.FetchFailed) as failure:
            get(tmp_path, source.url)
        text = str(failure.value)
        del failure
        gc.collect()
    assert not set(text) & {"\x00", "\x1b", "\n"}
    assert text.endswith("Check the address and its server, then try again.")
    assert list(tmp_path.iterdir()) == []


def test_servers_that_never_finish_their_headers_stand_in_nobodys_way(tmp_path: Path, source: Source) -> None:
    def trickle(say: Say) -> None:
        say(b"HTTP/1.0 200 OK\r\nX-Endless: ")
        while not source.closing.wait(0.05):
            say(b"x")

    async def all_of_them() -> None:
        hopeless = (
            fetch.artifact(fetch.Store(tmp_path, HERE), f"{number:064}", source.url, 0.3) for number in range(6)
        )
        assert all(
            isinstance(end, fetch.FetchFailed) for end in await asyncio.gather(*hopeless, return_exceptions=True)
        )
        source.speak = lambda say: say(b"HTTP/1.0 200 OK\r\n\r\n" + CONTENT)
        assert await fetch.artifact(fetch.Store(tmp_path, HERE), SHA256, source.url, 5)

    source.speak = trickle
    asyncio.run(all_of_them())


def test_an_answer_that_is_cut_off_is_not_taken_for_another_artifact(tmp_path: Path, source: Source) -> None:
    source.speak = lambda say: say(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nshort")
    with pytest.raises(fetch.FetchFailed, match="the connection ended 45 bytes before the end"):
        get(tmp_path, source.url)


def test_a_download_ends_when_the_last_who_wants_it_gives_up_and_not_before(tmp_path: Path, source: Source) -> None:
    def trickle(say: Say) -> None:
        say(b"HTTP/1.0 200 OK\r\nContent-Length: 100000000\r\n\r\n")
        while not source.closing.wait(0.02):
            say(b"x")

    def kept() -> bool:
        return bool(list(tmp_path.iterdir()))

    async def becomes(there: bool) -> bool:
        for _ in range(250):
            if kept() == there:
                return True
            await asyncio.sleep(0.02)
        return False

    async def give_up() -> None:
        first, second = (
            asyncio.create_task(fetch.artifact(fetch.Store(tmp_path, HERE), SHA256, source.url)) for _ in range(2)
        )
        assert await becomes(there=True)
        first.cancel()
        await asyncio.wait([first, second], timeout=0.2)
        assert (first.cancelled(), second.done()) == (True, False)
        assert kept()
        second.cancel()
        assert await becomes(there=False), "the download went on"
        source.speak = lambda say: say(b"HTTP/1.0 200 OK\r\n\r\n" + CONTENT)
        assert await fetch.artifact(fetch.Store(tmp_path, HERE), SHA256, source.url)

    source.speak = trickle
    asyncio.run(give_up())


def test_an_uploaded_artifact_that_is_not_here_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(fetch.FetchFailed, match="DEPLOYER_HOME"):
        get(tmp_path, "")


def test_an_artifact_comes_from_no_address_that_is_not_permitted(tmp_path: Path, source: Source) -> None:
    with pytest.raises(fetch.FetchFailed, match=r"leads to 127\.0\.0\.1, .* DEPLOYER_ALLOWED_NETWORKS"):
        asyncio.run(fetch.artifact(fetch.Store(tmp_path), SHA256, source.url))
    assert (source.asked, list(tmp_path.iterdir())) == (0, [])


@pytest.mark.parametrize("host", ["localhost", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1", "0177.0.0.1", "127.1"])
def test_no_other_way_to_write_an_address_leads_there(tmp_path: Path, source: Source, host: str) -> None:
    with pytest.raises(fetch.FetchFailed, match=r"from where workers fetch nothing|not known|family"):
        asyncio.run(fetch.artifact(fetch.Store(tmp_path), SHA256, source.url.replace("127.0.0.1", host)))
    assert source.asked == 0


def test_a_redirect_leads_to_no_address_that_is_not_permitted(tmp_path: Path, source: Source) -> None:
    secret = Source("127.0.0.2")
    try:
        answer = f"HTTP/1.1 302 Found\r\nLocation: {secret.url}\r\nContent-Length: 0\r\n\r\n".encode()
        source.speak = lambda say: say(answer)
        only_one = fetch.Store(tmp_path, Permitted(parse_networks("127.0.0.1")))
        with pytest.raises(fetch.FetchFailed, match=r"leads to 127\.0\.0\.2, "):
            asyncio.run(fetch.artifact(only_one, SHA256, source.url))
        assert (source.asked, secret.asked, list(tmp_path.iterdir())) == (1, 0, [])
        assert get(tmp_path, source.url)  # and where it may, it is followed
    finally:
        secret.close()


def test_a_redirect_without_an_end_is_given_up(tmp_path: Path, source: Source) -> None:
    answer = f"HTTP/1.1 302 Found\r\nLocation: {source.url}?\r\nContent-Length: 0\r\n\r\n".encode()
    source.speak = lambda say: say(answer)
    with pytest.raises(fetch.FetchFailed, match="redirect"):
        get(tmp_path, source.url)
    assert source.asked < 10


def test_a_name_that_resolves_to_something_else_a_moment_later_leads_nowhere_else(
    tmp_path: Path, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = Source("127.0.0.2")
    real, asked = socket.getaddrinfo, []

    def rebinding(host: str, *args: object, **kwargs: object) -> object:
        if host != "rebinding.example":
            return real(host, *args, **kwargs)  # type: ignore[arg-type]
        asked.append(host)
        return real("127.0.0.1" if len(asked) == 1 else "127.0.0.2", *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    try:
        port = secret.listener.getsockname()[1]
        only_one = fetch.Store(tmp_path, Permitted(parse_networks("127.0.0.1")))
        with pytest.raises(fetch.FetchFailed, match="refused"):  # nobody listens at that port of 127.0.0.1
            asyncio.run(fetch.artifact(only_one, SHA256, f"http://rebinding.example:{port}/"))
        assert (len(asked), secret.asked) == (1, 0)
    finally:
        secret.close()


def test_a_proxy_of_the_environment_does_not_choose_the_address(
    tmp_path: Path, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = Source("127.0.0.2")
    try:
        monkeypatch.setenv("http_proxy", proxy.url)
        assert get(tmp_path, source.url)
        assert (source.asked, proxy.asked) == (1, 0)
    finally:
        proxy.close()


class Secure(Source):
    """A server with a certificate that nobody has signed."""

    def __init__(self, directory: Path) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "here")])
        now = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(1))
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
            .sign(key, hashes.SHA256())
        )
        self.file = directory / "certificate.pem"
        form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        self.file.write_bytes(
            key.private_bytes(serialization.Encoding.PEM, *form) + certificate.public_bytes(serialization.Encoding.PEM)
        )
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(self.file)
        super().__init__()
        self.url = self.url.replace("http:", "https:")

    def _serve(self, connection: socket.socket) -> None:
        try:
            secured = self.context.wrap_socket(connection, server_side=True)
        except OSError:
            connection.close()
            return
        super()._serve(secured)


@pytest.fixture
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secure]:
    found = Secure(tmp_path_factory.mktemp("secure"))
    yield found
    found.close()


def test_over_tls_only_a_server_with_a_trusted_certificate_is_believed(
    tmp_path: Path, secure: Secure, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(fetch.FetchFailed, match="certificate verify failed"):
        get(tmp_path, secure.url)
    monkeypatch.setenv("SSL_CERT_FILE", str(secure.file))
    with pytest.raises(fetch.FetchFailed, match="certificate verify failed"):
        get(tmp_path, secure.url.replace("127.0.0.1", "localhost"))
    assert get(tmp_path, secure.url)


def test_no_redirect_leads_from_tls_to_none(
    tmp_path: Path, secure: Secure, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(secure.file))
    answer = f"HTTP/1.1 302 Found\r\nLocation: {source.url}\r\nContent-Length: 0\r\n\r\n".encode()
    secure.speak = lambda say: say(answer)
    with pytest.raises(fetch.FetchFailed, match="without TLS"):
        get(tmp_path, secure.url)
    assert source.asked == 0

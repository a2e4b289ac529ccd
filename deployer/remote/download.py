"""A file over HTTP(S), with every connection judged where it is opened: also that of each redirect.

Nothing but http and https is spoken, and no proxy of the environment is used: it, and not we, would choose the address.
"""

from __future__ import annotations

import http.client
import ssl
import urllib.request
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit

from deployer.remote.guarded import NotPermitted, Permits, create_connection


def opened(url: str, timeout: float, permits: Permits) -> http.client.HTTPResponse:
    """The answer to ``GET url``; ``timeout`` is in seconds, for each wait.

    Raises :class:`NotPermitted`, other OSErrors, ValueError and HTTPException.
    """
    opener = urllib.request.OpenerDirector()
    for handler in (
        _Plain(permits),
        _Secure(permits),
        _Redirect(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.UnknownHandler(),
    ):
        opener.add_handler(handler)
    try:
        answer: http.client.HTTPResponse = opener.open(url, timeout=timeout)
    except HTTPError as problem:
        problem.close()
        raise
    except URLError as problem:
        if isinstance(problem.reason, NotPermitted):
            raise problem.reason from None
        raise
    return answer


class _Connection(http.client.HTTPConnection):
    """A connection to where ``permits`` lets us."""

    def __init__(self, *args: Any, permits: Permits, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.permits = permits

    def connect(self) -> None:
        self.sock = create_connection(self.host, self.port, float(self.timeout or 0), self.permits)


class _TlsConnection(_Connection):
    """The same with TLS: the certificate has to be that of the name, whatever it resolved to."""

    default_port = http.client.HTTPS_PORT

    def connect(self) -> None:
        super().connect()
        self.sock = ssl.create_default_context().wrap_socket(self.sock, server_hostname=self.host)


class _Plain(urllib.request.HTTPHandler):
    def __init__(self, permits: Permits) -> None:
        super().__init__()
        self._permits = permits

    def http_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_Connection, request, permits=self._permits)  # type: ignore[arg-type]


class _Secure(urllib.request.AbstractHTTPHandler):
    def __init__(self, permits: Permits) -> None:
        super().__init__()
        self._permits = permits

    def https_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_TlsConnection, request, permits=self._permits)  # type: ignore[arg-type]

    https_request = urllib.request.AbstractHTTPHandler.do_request_


class _Redirect(urllib.request.HTTPRedirectHandler):
    """Wherever it leads is judged like the first address; never from TLS to none."""

    max_redirections = 5

    def redirect_request(
        self, request: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        scheme = urlsplit(newurl).scheme.lower()
        if scheme != "https" and (scheme != "http" or request.type == "https"):
            fp.close()
            raise URLError("it leads on to an address without TLS, or of another kind than http and https")
        return super().redirect_request(request, fp, code, msg, headers, newurl)

"""A provider of OpenID Connect, as a process of its own: ``python -m tests.oidc HOST PORT``.

It signs everybody in at once. It checks what a provider has to check (client, secret, redirect address, PKCE, a code is
used once), and lies as told: what is posted to /next is who comes next, and what is wrong with their token.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import subprocess
import sys
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwk, jwt

from tests.loopback import free_port, own_address

CLIENT = "console"
SECRET = "the secret of the console"
KEYS = {name: jwk.RSAKey.generate_key(2048, {"kid": "one"}) for name in ("ours", "a stranger's")}
ANN = {"sub": "248289761001", "preferred_username": "anna", "email": "anna@example.org", "email_verified": True}


class Provider(BaseHTTPRequestHandler):
    """One request."""

    issuer = ""
    following: ClassVar[dict[str, Any]] = dict(ANN)
    lies: ClassVar[dict[str, Any]] = {}
    codes: ClassVar[dict[str, dict[str, str]]] = {}

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        asked = {name: values[0] for name, values in parse_qs(url.query).items()}
        if url.path == "/.well-known/openid-configuration":
            self._answer(
                {
                    "issuer": self.lies.get("discovery", self.issuer),
                    "authorization_endpoint": f"{self.issuer}/authorize",
                    "token_endpoint": f"{self.issuer}/token",
                    "jwks_uri": f"{self.issuer}/keys",
                    "response_types_supported": ["code"],
                    "subject_types_supported": ["public"],
                    "id_token_signing_alg_values_supported": ["RS256", "HS256", "none"],
                }
            )
        elif url.path == "/keys":
            self._answer({"keys": [KEYS["ours"].as_dict(private=False)]})
        elif url.path == "/authorize":
            self._authorize(asked)
        else:
            self._answer({"error": "not_found"}, 404)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        if self.path == "/next":
            told = json.loads(body)
            Provider.following, Provider.lies = told["claims"], told["lies"]
            self._answer({})
            return
        sent = {name: values[0] for name, values in parse_qs(body).items()}
        basic = "Basic " + base64.b64encode(f"{CLIENT}:{SECRET.replace(' ', '+')}".encode()).decode()
        plain = "Basic " + base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        if self.headers.get("Authorization") not in (basic, plain):
            self._answer({"error": "invalid_client"}, 401)
            return
        asked = self.codes.pop(sent.get("code", ""), None)
        if asked is None or asked["redirect_uri"] != sent["redirect_uri"] or not _proves(sent, asked):
            self._answer({"error": "invalid_grant"}, 400)
            return
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": asked["nonce"]}
        claims |= self.following | self.lies.get("changes", {})
        if "age" in self.lies:
            claims |= {"iat": now - self.lies["age"] - 300, "exp": now - self.lies["age"]}
        self._answer({"access_token": "x", "token_type": "Bearer", "id_token": self._signed(claims)})

    def _signed(self, claims: dict[str, Any]) -> str:
        if self.lies.get("algorithm") == "none":
            parts = (json.dumps({"alg": "none"}), json.dumps(claims))
            return ".".join(base64.urlsafe_b64encode(part.encode()).decode().rstrip("=") for part in parts) + "."
        return jwt.encode({"alg": "RS256", "kid": "one"}, claims, KEYS[self.lies.get("key", "ours")])

    def _authorize(self, asked: dict[str, str]) -> None:
        if asked["client_id"] != CLIENT or not asked["redirect_uri"].endswith("/sign-in/elsewhere/back"):
            self._answer({"error": "unauthorized_client"}, 400)
            return
        back = {"state": asked["state"]}
        if "refuses" in self.lies:
            back |= {"error": "access_denied", "error_description": "<b>no</b>"}
        else:
            back["code"] = secrets.token_urlsafe(16)
            self.codes[back["code"]] = asked
        self.send_response(302)
        self.send_header("Location", f"{asked['redirect_uri']}?{urlencode(back)}")
        self.end_headers()

    def _answer(self, body: dict[str, Any], status: int = 200) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        pass


def _proves(sent: dict[str, str], asked: dict[str, str]) -> bool:
    """Whether who brings the code is who asked for it."""
    digest = hashlib.sha256(sent.get("code_verifier", "").encode()).digest()
    challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
    return asked.get("code_challenge_method") == "S256" and asked.get("code_challenge") == challenge


class Running:
    """The process, for the time of a ``with`` block."""

    def __enter__(self) -> Running:
        host = own_address(1)
        port = free_port(host)
        self.issuer = f"http://{host}:{port}"
        root = Path(__file__).resolve().parent.parent
        self.process = subprocess.Popen([sys.executable, "-m", "tests.oidc", host, str(port)], cwd=root)
        until = time.monotonic() + 30
        while True:
            try:
                self.comes()
                return self
            except OSError:
                assert self.process.poll() is None
                assert time.monotonic() < until
                time.sleep(0.1)

    def comes(self, claims: dict[str, Any] | None = None, **lies: Any) -> None:
        """Say who comes next, and what the provider does wrong then."""
        body = json.dumps({"claims": ANN if claims is None else claims, "lies": lies}).encode()
        with urllib.request.urlopen(urllib.request.Request(f"{self.issuer}/next", body), timeout=5):
            pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.terminate()
        self.process.wait(15)


if __name__ == "__main__":
    Provider.issuer = f"http://{sys.argv[1]}:{sys.argv[2]}"
    ThreadingHTTPServer((sys.argv[1], int(sys.argv[2])), Provider).serve_forever()

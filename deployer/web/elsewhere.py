"""Sign in with a provider of identities (OpenID Connect, code flow with PKCE). Offered only when one is configured."""

from __future__ import annotations

import logging
from typing import Any

from flask import Blueprint, Flask, abort, current_app, redirect, render_template, request, session, url_for
from flask_babel import gettext
from flask_login import current_user
from werkzeug.wrappers import Response

from deployer.config import Provider
from deployer.domain.errors import N_, Forbidden, Refused
from deployer.domain.identity import read_identity
from deployer.operations import identities, sign_ins
from deployer.web import auth
from deployer.web.auth import public, safe_next
from deployer.web.errors import status_of
from deployer.web.words import whole

TIMEOUT = 10  # seconds
LEEWAY = 60  # seconds by which clocks may differ
# Those with a private key: of what a shared secret has signed, nobody can say who did it. Never "none".
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")
NEXT = "elsewhere_next"


class _Impostor(Exception):
    """The address of the provider leads to another one."""


SET_UP_WRONG = (_Impostor, KeyError, ValueError, RuntimeError, TypeError)
CLAIMS = {
    "iss": N_("What came back is from another provider than this console trusts."),
    "aud": N_("What came back is meant for another application."),
    "nonce": N_("What came back belongs to another sign-in. Begin again."),
}
INCOMPLETE = N_("What came back from the provider is not complete.")
USED_UP = N_("The provider's answer was used already, or it is too old. Begin again.")
NOT_LET_IN = N_("The provider did not let you in. Begin again, or ask whoever runs it.")

blueprint = Blueprint("elsewhere", __name__, url_prefix="/sign-in/elsewhere")
log = logging.getLogger(__name__)


def init_app(app: Flask) -> None:
    """Tell templates what the button says, None when there is none."""
    provider = app.config["SETTINGS"].provider
    app.context_processor(lambda: {"elsewhere": provider and (provider.label or gettext("your organisation"))})


@blueprint.get("")
@public
def leave() -> Response | tuple[str, int]:
    """Send the browser to the provider. What has to come back with it is in its session."""
    if current_user.is_authenticated:
        return redirect(safe_next(request.args.get("next")))
    client = _client()
    try:
        _trusted(client)
        answer: Response = client.authorize_redirect(url_for(".arrive", _external=True))
    except Exception as problem:
        return _broken(problem)
    session[NEXT] = safe_next(request.args.get("next"))
    return answer


@blueprint.get("/back")
@public
def arrive() -> Response | tuple[str, int]:
    """The browser comes back with a code, which is exchanged for a token that says who it is."""
    client = _client()
    target = session.pop(NEXT, None)
    try:
        token = client.authorize_access_token(
            claims_options={
                "iss": {"essential": True, "values": [_trusted(client)]},
                "aud": {"essential": True, "values": [client.client_id]},
            },
            leeway=LEEWAY,
        )
        identity = read_identity(token.get("userinfo") or {}, _provider().name_claim)
        found = identities.person(identity, _provider().allowed)
    except Refused as refused:
        return _refused(whole(refused), 403 if isinstance(refused, Forbidden) else status_of(refused))
    except Exception as problem:
        return _broken(problem)
    auth.sign_in(sign_ins.begin(found, auth.whence()))
    return redirect(safe_next(target))


def _provider() -> Provider:
    provider: Provider | None = current_app.config["SETTINGS"].provider
    if provider is None:
        abort(404)
    return provider


def _client() -> Any:
    """Authlib's client of this application; it is loaded by who needs it first, because that takes half a second."""
    provider = _provider()
    known = current_app.extensions.get("elsewhere")
    if known is None:
        from authlib.integrations.flask_client import OAuth  # noqa: PLC0415

        known = OAuth(current_app).register(
            "elsewhere",
            client_id=provider.client_id,
            client_secret=provider.client_secret,
            server_metadata_url=provider.discovery,
            client_kwargs={
                "scope": provider.scope,
                "code_challenge_method": "S256",
                "default_timeout": TIMEOUT,
            },
        )
        current_app.extensions["elsewhere"] = known
    return known


def _trusted(client: Any) -> str:
    """The provider's name for itself, which its tokens must have: it has to be the one that was configured."""
    metadata = client.load_server_metadata()
    issuer = metadata.get("issuer")
    if not isinstance(issuer, str) or issuer.rstrip("/") != _provider().url:
        raise _Impostor(f"the discovery document of {_provider().url} names the issuer {issuer!r}")
    offered = metadata.get("id_token_signing_alg_values_supported") or ["RS256"]
    metadata["id_token_signing_alg_values_supported"] = [one for one in offered if one in ALGORITHMS]
    return issuer


def _broken(problem: Exception) -> tuple[str, int]:
    """Tell a person what went wrong, and the log exactly what."""
    what, status = _told(problem)
    log.warning("a sign-in with the provider failed: %s: %s", type(problem).__name__, problem)
    return _refused(what, status)


def _told(problem: Exception) -> tuple[str, int]:
    from authlib.integrations.base_client import MismatchingStateError, OAuthError  # noqa: PLC0415
    from joserfc.errors import ClaimError, ExpiredTokenError, JoseError  # noqa: PLC0415
    from requests import RequestException  # noqa: PLC0415

    used_up = getattr(problem, "error", "") == "invalid_grant"
    known = (  # the more special ones first
        (
            MismatchingStateError,
            N_("This sign-in was not begun in this browser, or took too long. Begin again."),
            400,
        ),
        (ExpiredTokenError, N_("What the provider sent has expired. Begin again, or have its clock looked at."), 403),
        (ClaimError, CLAIMS.get(getattr(problem, "claim", ""), INCOMPLETE), 403),
        (JoseError, N_("What came back was not signed by the provider."), 403),
        (OAuthError, USED_UP if used_up else NOT_LET_IN, 403),
        (RequestException, N_("The provider does not answer as it should. Try again later."), 502),
        (SET_UP_WRONG, N_("The provider is not set up as this console expects. Ask an administrator."), 502),
    )
    for kind, text, status in known:
        if isinstance(problem, kind):
            return str(gettext(text)), status
    raise problem


def _refused(what: str, status: int) -> tuple[str, int]:
    page = render_template("people/sign_in.html", name="", problems=[what], next=safe_next(request.args.get("next")))
    return page, status

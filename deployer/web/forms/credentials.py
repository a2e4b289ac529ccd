"""Add a credential, replace it. What is secret in it is never shown again."""

from __future__ import annotations

from wtforms.widgets import PasswordInput, TextArea

from deployer.domain.errors import N_, Invalid
from deployer.domain.names import parse_name
from deployer.domain.reach import CredentialKind, Secret, parse_key_file
from deployer.operations.credentials import NewCredential
from deployer.privatekeys import MAX_KEY, public_of
from deployer.web.forms.base import Parsed, StrictForm, by, one_of

SECRETS = ("key", "passphrase", "password")
_OF_KIND = {
    CredentialKind.KEY: ("key", "passphrase"),
    CredentialKind.PASSWORD: ("password",),
    CredentialKind.FILE: ("path",),
}
MAX_PASSWORD = 1024


def _key(text: str) -> str:
    """Line ends as a file has them; nothing else is changed."""
    text = text.replace("\r\n", "\n").strip() + "\n"
    if len(text) > MAX_KEY:
        raise Invalid(N_("This text is too long."), N_("Give at most %(limit)s characters."), "key", {"limit": MAX_KEY})
    return text


def _password(field: str, text: str) -> str:
    is_text = text.isprintable() and not any("\ud800" <= character <= "\udfff" for character in text)
    if is_text and len(text) <= MAX_PASSWORD:
        return text
    raise Invalid(
        N_("This cannot be a password."),
        N_("Give at most %(limit)s characters, without line breaks and control characters."),
        field,
        {"limit": MAX_PASSWORD},
    )


class CredentialForm(StrictForm):
    """A key, a password, or where a key lies on the worker's machine."""

    name = Parsed(N_("Name"), by(parse_name, "name"))
    kind = Parsed(
        N_("Kind"),
        one_of(
            "kind",
            {kind.value: kind for kind in CredentialKind},
            N_("This is not a kind of credential."),
            N_("Use one of: %(choices)s."),
        ),
        empty=CredentialKind.KEY,
    )
    key = Parsed(N_("Private key"), _key, empty="", widget=TextArea())
    passphrase = Parsed(
        N_("Its passphrase"), lambda text: _password("passphrase", text), empty="", widget=PasswordInput()
    )
    password = Parsed(N_("Password"), lambda text: _password("password", text), empty="", widget=PasswordInput())
    path = Parsed(N_("File on the worker's machine"), by(parse_key_file, "path"), empty="")

    def check(self) -> None:
        """As for any form; what the kind needs is there, and nothing that it does not know. Then the key is read."""
        refusals = self.refusals()
        kind = self.kind.value
        if kind is not None:
            wanted = _OF_KIND[kind]
            if not self[wanted[0]].data:
                refusals.setdefault(
                    wanted[0], Invalid(N_("This is missing."), N_("A credential of this kind needs it."), wanted[0])
                )
            for name in ("key", "passphrase", "password", "path"):
                if name not in wanted and self[name].data:
                    refusals[name] = Invalid(
                        N_("This is not for a credential of this kind."), N_("Leave it out, or choose its kind."), name
                    )
        self.public = self.path.value if kind is CredentialKind.FILE else ""
        if not refusals and kind is CredentialKind.KEY:
            try:
                self.public = public_of(self.key.value, self.passphrase.value)
            except Invalid as refused:
                refusals[refused.field] = refused
        self.fail_with(refusals)

    def new(self) -> NewCredential:
        """The credential to keep; call it on a form that :meth:`read` returned."""
        secret = Secret(self.key.value, self.passphrase.value, self.password.value)
        kind = self.kind.value
        return NewCredential(self.name.value, kind, self.public, None if kind is CredentialKind.FILE else secret)

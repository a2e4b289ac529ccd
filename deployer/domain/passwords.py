"""Which passwords may be used. Length is what counts; beyond it only what is guessed first is refused."""

from __future__ import annotations

from deployer.domain.errors import N_, Invalid

MIN_PASSWORD = 12
MAX_PASSWORD = 1024  # hashing takes time with the length; nobody types more
FEWEST = 5  # different characters

# What is left of the commonest passwords when digits and signs are taken away; those pad them up to any length.
COMMONEST = frozenset(
    """abc abcdef abcdefg access admin administrator asdf asdfgh asdfghjkl baseball batman changeit changeme charlie
    computer default deploy deployer dragon football freedom guest hello hunter iloveyou letmein login love manager
    master michael monkey mustang mypassword ninja nimda operator oracle passphrase passw password passwordpassword
    passwort pokemon princess qazwsx qazwsxedc qwer qwerty qwertyui qwertyuiop qwertz root secret service shadow
    starwars summer sunshine superman sysadmin temp temppassword test tester testtest toor trustno trustnoone user
    welcome whatever winter zaq zaqxsw zaqwsx zxcvbn zxcvbnm""".split()  # noqa: SIM905 (a list would take a page)
)
_LEET = str.maketrans("@4301$57", "aaeoisst")


def check_password_rules(password: str, name: str) -> None:
    """Raise :class:`Invalid` on ``password`` unless the person ``name`` may use it."""
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        raise Invalid(
            N_("This password cannot be used."),
            N_("Give %(least)s to %(most)s characters."),
            "password",
            {"least": MIN_PASSWORD, "most": MAX_PASSWORD},
        )
    low = password.casefold()
    if len(name) >= 3 and name.casefold() in low:
        raise Invalid(
            N_("This password has the name in it."),
            N_("Choose one that nobody would guess who knows the name; several unrelated words are good."),
            "password",
        )
    if len(set(low)) < FEWEST or not _letters(low) or _letters(low) in COMMONEST or _letters(low, True) in COMMONEST:
        raise Invalid(
            N_("This password is among those that are guessed first."),
            N_("Choose another one; several unrelated words are good."),
            "password",
        )


def _letters(text: str, leet: bool = False) -> str:
    if leet:  # apart from what pads it
        text = text.rstrip("0123456789!?.-_*#").translate(_LEET)
    return "".join(letter for letter in text if letter.isalpha())

"""Why a host failed, in the reader's language.

The worker writes the reason down in English, once, for the log, the API and the page alike. Its sentences are few, so
the page takes them apart by the very texts that are translated. What it does not know stays: a program's own words.
"""

from __future__ import annotations

import re
from functools import cache

from flask_babel import get_locale, gettext

from deployer.domain.errors import N_

# One sentence, and perhaps what became of the host after it.
REASONS = (
    N_("%(failure)s The release in use was not touched."),
    N_("%(failure)s The previous release %(name)s was restored."),
    N_("%(failure)s Restoring release %(name)s did not work either: %(again)s"),
    N_("%(failure)s Version %(name)s was not installed by Deployer on this host, so it could not be restored."),
    N_("%(failure)s What ran before was not installed by Deployer on this host, so it could not be restored."),
    N_("%(failure)s The host could not be asked what is left of it: %(cause)s."),
    N_("%(failure)s The host runs a version that is not recorded here: %(name)s"),
    N_("Restart failed: %(cause)s."),
    N_("Deploy command failed: %(cause)s."),
    N_("Health check failed: %(cause)s."),
    N_("Version check failed: %(cause)s."),
    N_("This failed: %(cause)s."),
    N_("Preparing the host failed: %(cause)s."),
    N_("Fetching the artifact failed: %(cause)s."),
    N_("Sending the archive failed: %(cause)s."),
    N_("Verifying the archive failed: %(cause)s."),
    N_("Unpacking the archive failed: %(cause)s."),
    N_("Switching the release failed: %(cause)s."),
)
CAUSES = (
    N_("%(cause)s (tried for %(seconds)s s)"),
    N_("the command took too long and was stopped"),
    N_("the end of the command was not seen"),
    N_("the command ended with status %(status)s: %(said)s"),
    N_("the command ended with status %(status)s"),
    N_("the service answers with version %(running)s instead of %(wanted)s"),
    N_("the worker that did it was lost in the middle"),
    N_("GET %(path)s answered %(status)s"),
    N_("Connecting to port %(port)s took longer than %(seconds)s s"),
    N_("The program %(program)s is not on the host. Install it there, or write its absolute path in the recipe"),
)
# What these slots hold is taken apart in the same way.
NESTED = {"failure": REASONS, "again": REASONS, "cause": CAUSES}
_SLOT = re.compile(r"%\((\w+)\)s")


def cause(text: str) -> str:
    """Why a host failed, as the worker wrote it down, in the reader's language as far as it is known."""
    locale = get_locale()
    return text if locale is None or locale.language == "en" else _told(text, REASONS)


def _told(text: str, known: tuple[str, ...]) -> str:
    for message in known:
        found = _pattern(message).fullmatch(text)
        if found:
            facts = {slot: _told(value, NESTED.get(slot, ())) for slot, value in found.groupdict().items()}
            translated: str = gettext(message)
            return translated % facts if facts else translated
    return text


@cache
def _pattern(message: str) -> re.Pattern[str]:
    parts = _SLOT.split(message)
    texts = [re.escape(part) if n % 2 == 0 else f"(?P<{part}>.+?)" for n, part in enumerate(parts)]
    return re.compile("".join(texts), re.DOTALL)

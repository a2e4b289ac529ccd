"""What a step says, gathered so that the database sees a few batches and not a commit per line."""

from __future__ import annotations

from dataclasses import dataclass, field

from deployer.remote.text import clean


@dataclass
class StepJournal:
    """The journal of one step. ``drain`` hands over what came since the last time."""

    _lines: list[str] = field(default_factory=list)
    _phase: str | None = None

    def phase(self, text: str) -> None:
        """A new phase begins."""
        self._phase = str(text)

    def line(self, text: str) -> None:
        """One line of log."""
        self._lines.append(clean(text))

    def take_back(self, lines: list[str], phase: str | None) -> None:
        """What was drained and could not be written after all."""
        self._lines = lines + self._lines
        self._phase = phase if self._phase is None else self._phase

    def drain(self) -> tuple[list[str], str | None]:
        """The new lines, and the phase if it changed. Empty and None when nothing was said."""
        lines, phase = self._lines, self._phase
        self._lines, self._phase = [], None
        return lines, phase

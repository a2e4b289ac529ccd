"""From the bytes of a command to lines that are safe to keep: decoded, without terminal codes, bounded."""

from __future__ import annotations

import codecs
from collections import deque
from collections.abc import Callable

from deployer.domain.secrecy import PrivateKeys
from deployer.remote.runner import CommandResult, Say
from deployer.remote.text import MAX_LINE, clean, plain

MAX_LINES = 2_000
MAX_OUTPUT = 1_000_000  # characters
TAIL = 50  # lines kept for the result, even of output that was cut


class Output:
    """Everything that one command says, on both of its streams, within one bound."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._lines = 0
        self._size = 0
        self._tail: deque[str] = deque(maxlen=TAIL)
        self._stdout: deque[str] = deque(maxlen=TAIL)
        self.cut = False
        self.out = Lines(self._out, self._is_cut)
        self.err = Lines(self._line, self._is_cut)

    def finish(self) -> None:
        """Take what is left of unfinished last lines."""
        self.out.finish()
        self.err.finish()

    def result(self, exit_status: int | None, timed_out: bool) -> CommandResult:
        """The end of the command, with the last lines it said."""
        return CommandResult(exit_status, timed_out, "\n".join(self._tail), tuple(self._stdout), self.cut)

    def _is_cut(self) -> bool:
        return self.cut

    def _out(self, line: str) -> None:
        self._stdout.append(line)
        self._line(line)

    def _line(self, line: str) -> None:
        self._tail.append(line)
        if self.cut:
            return
        self._lines += 1
        self._size += len(line) + 1
        if self._lines > MAX_LINES or self._size > MAX_OUTPUT:
            self.cut = True
            line = f"The output is longer than {MAX_LINES} lines or {MAX_OUTPUT} characters; the rest is left out."
        self._say(line)


class Lines:
    """One stream, fed in chunks. A chunked read costs a tenth of a readline, and no line can be too long for it."""

    def __init__(self, take: Say, only_the_last_count: Callable[[], bool]) -> None:
        self._take = take
        self._only_the_last_count = only_the_last_count
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""
        self._keys = PrivateKeys()
        self._skipping = False  # inside a line whose beginning was taken because it is too long

    def feed(self, data: bytes) -> None:
        """Take the complete lines of what has arrived."""
        self._add(self._decoder.decode(data))

    def finish(self) -> None:
        """Take the unfinished last line, if there is one."""
        self._add(self._decoder.decode(b"", final=True))
        if self._rest:
            self._add("\n")

    def _add(self, text: str) -> None:
        # A chunk may end between \r and \n, or inside a terminal code: lines are cleaned whole.
        *lines, self._rest = (self._rest + text).split("\n")
        if len(lines) > TAIL and self._only_the_last_count():  # a flood costs no more than what is kept of it
            lines = lines[-TAIL:]
            self._skipping = False
        for line in lines:
            shown = self._keys.hide(plain(line))
            if not self._skipping:
                self._take(clean(shown))
            self._skipping = False
        if len(self._rest) > 4 * MAX_LINE:
            shown = self._keys.hide(plain(self._rest))
            if not self._skipping:
                self._take(clean(shown))
            self._skipping = True
            self._rest = ""

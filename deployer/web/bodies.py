"""How the bodies of forms are parsed: one that is not what its content type says is refused."""

from __future__ import annotations

from typing import IO, Any

from flask import Request
from werkzeug.exceptions import BadRequest
from werkzeug.formparser import FormDataParser


class StrictFormParser(FormDataParser):
    """As Werkzeug's, but a form it cannot parse is no empty form, and every part of one has a name."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.silent = False

    def parse(self, stream: IO[bytes], mimetype: str, *args: Any, **kwargs: Any) -> Any:
        """Werkzeug's hook. Raises BadRequest."""
        try:
            rest, form, files = super().parse(stream, mimetype, *args, **kwargs)
        except ValueError:
            raise BadRequest from None
        if None in form or None in files:
            for file in files.values():
                file.close()
            raise BadRequest
        return rest, form, files


class StrictRequest(Request):
    """What every view gets as ``request``."""

    form_data_parser_class = StrictFormParser

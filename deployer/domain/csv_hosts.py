"""Hosts as a table: one row each, under a header that names the fields."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection

from deployer.domain.errors import N_, Note
from deployer.domain.inventory import Entry, Inventory, unreadable

NAME = "hostname"
# An empty cell of these says nothing; of any other field, that it is to be empty.
_NEVER_EMPTY = frozenset({"address", "directory", "reach"})


def read_csv(text: str, known: Collection[str]) -> Inventory:
    """The hosts of a table, separated by commas, semicolons or tabs as its header is. Raises Invalid on ``content``."""
    header, _, _ = text.partition("\n")
    delimiter = max(",;\t", key=header.count)
    rows = csv.reader(io.StringIO(text), delimiter=delimiter, strict=True, skipinitialspace=True)
    found = Inventory()
    try:
        names = [cell.strip().lower() for cell in next(rows, [])]
        if NAME not in names or len(set(names)) < len(names):
            raise unreadable(
                N_("The first line is not the header of a table of hosts."),
                N_("Name the columns there, each once; one of them is hostname. Known are: %(known)s."),
                known=", ".join(known),
            )
        for name in names:
            if name not in known:
                found.remark(1, Note(N_("The column %(name)s is not taken over."), {"name": name[:80] or "–"}))
        line = rows.line_num
        for row in rows:
            begin, line = line + 1, rows.line_num
            if not any(cell.strip() for cell in row):
                continue
            cells = {name: cell.strip() for name, cell in zip(names, row, strict=False)}
            if len(row) != len(names):
                facts = {"cells": len(row), "columns": len(names)}
                note = Note(N_("The line has %(cells)s cells, the header %(columns)s."), facts)
                found.add(Entry(begin, cells.get(NAME, ""), {}, note))
                continue
            fields = {
                name: cell for name, cell in cells.items() if name in known and (cell or name not in _NEVER_EMPTY)
            }
            found.add(Entry(begin, cells[NAME], fields))
    except csv.Error:
        raise unreadable(
            N_("Line %(line)s is not a line of a table."),
            N_("Close every quotation mark, and separate cells as the header does."),
            line=rows.line_num,
        ) from None
    return found

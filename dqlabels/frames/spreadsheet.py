"""Text that a spreadsheet would run as a formula, and how it is marked so that it stays text."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable

# How a formula begins, also after blanks; a number with its sign is none. Source: OWASP, "CSV Injection".
FORMULA = r"^[\s\x00]*[=+\-@＝＋－＠]|^[\t\r\n]"
NUMBER = r"^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$"
MARKED = r"^'([\s\x00]*[=+\-@＝＋－＠]|[\t\r\n])"


def marked_text(text: str) -> str:
    """Return the text, with an apostrophe before it if a spreadsheet would run it.

    >>> marked_text("=1+1"), marked_text("-1.5"), marked_text("a-b")
    ("'=1+1", '-1.5', 'a-b')
    """
    return f"'{text}" if re.search(FORMULA, text) and not re.search(NUMBER, text) else text


def csv_line(values: Iterable[object]) -> str:
    r"""Return one line of a CSV in which a spreadsheet runs nothing.

    >>> csv_line([3, "=1+1", "a, b"])
    '3,\'=1+1,"a, b"\n'
    """
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow([marked_text(str(value)) for value in values])
    return line.getvalue()

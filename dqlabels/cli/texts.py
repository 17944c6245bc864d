"""Text tables that Polars does not read as they are: in other encodings, and in several files."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dqlabels.errors import OptionError

OTHER_SEPARATORS = (";", "\t", "|", ",")


def separator_of(written: str | None) -> dict[str, str]:
    r"""Return the option of Polars for a separator; ``\t`` and ``tab`` are the tabulator.

    Raises:
        OptionError: It is not one character of ASCII.

    >>> separator_of("tab"), separator_of(None)
    ({'separator': '\t'}, {})
    """
    if written is None:
        return {}
    separator = "\t" if written in ("\\t", "tab") else written
    if len(separator.encode()) != 1 or separator in '"\r\n':
        raise OptionError(f"--separator {written!r}: one character separates columns, such as ';', '|' or tab.")
    return {"separator": separator}


def check_columns_apart(path: str, names: Sequence[str]) -> None:
    """Raise where a table has a single column whose name looks like several.

    Args:
        path: What messages call it.
        names: The columns that were read.

    Raises:
        OptionError: Naming what seems to separate them.
    """
    found = next((mark for mark in OTHER_SEPARATORS if len(names) == 1 and mark in names[0]), None)
    if found is not None:
        written = "tab" if found == "\t" else found
        raise OptionError(
            f"{path} has one column, {names[0][:60]!r}. It looks like several that {written!r} separates: add "
            f"--separator {written!r}."
        )


def decimal_comma(options: Mapping[str, Any]) -> dict[str, bool]:
    """Return the option of Polars for numbers with a comma, beside the others.

    Raises:
        OptionError: Columns are separated by commas.
    """
    if options.get("separator", ",") == ",":
        raise OptionError("--decimal-comma needs columns that no comma separates: add --separator ';' or what does.")
    return {"decimal_comma": True}


def plain_bytes(path: str, encoding: str | None, content: bytes) -> bytes:
    """Return text in UTF-8.

    Args:
        path: What messages call it.
        encoding: How it is written; None leaves it as it is.
        content: The text.

    Raises:
        OptionError: The encoding is unknown, or the text is not written in it.
    """
    if encoding is None:
        return content
    try:
        text = content.decode(encoding)
    except UnicodeError as error:
        where = f" at byte {error.start:,}" if isinstance(error, UnicodeDecodeError) else ""
        raise OptionError(f"{path} is not written in {encoding}: it fails{where}. Try another --encoding.") from error
    except LookupError as error:
        raise OptionError(f"--encoding {encoding!r} is unknown. Use one such as cp1252, latin-1 or utf-16.") from error
    if b"\n" in content and "\n" not in text:  # almost any bytes are text in UTF-16
        raise OptionError(f"{path} is not written in {encoding}: it would have no lines. Try another --encoding.")
    return text.removeprefix("\ufeff").encode()


def joined(files: Sequence[str], encoding: str | None, separator: str) -> bytes:
    """Return the rows of text files under one header, in UTF-8; a single file stays as it is.

    Args:
        files: Files with the same columns.
        encoding: How they are written, by default in UTF-8.
        separator: What separates their columns.

    Raises:
        OptionError: A file has other columns, or is not written in the encoding.
    """
    import polars as pl

    contents = [_decoded(path, encoding) for path in files]
    if len(files) == 1 and encoding is not None:
        return contents[0]
    tables = []
    for path, content in zip(files, contents, strict=True):
        try:
            tables.append(pl.read_csv(io.BytesIO(content), infer_schema_length=0, separator=separator))
        except (pl.exceptions.PolarsError, OSError) as error:
            raise OptionError(f"{path} cannot be read as csv: {str(error).splitlines()[0]}.") from error
        if tables[-1].columns != tables[0].columns:
            raise OptionError(
                f"{path} has the columns {', '.join(tables[-1].columns)}, and {files[0]} has "
                f"{', '.join(tables[0].columns)}. Files that are read as one table have the same columns."
            )
    return pl.concat(tables).write_csv(separator=separator).encode()


def _decoded(path: str, encoding: str | None) -> bytes:
    """The text of a file in UTF-8; one that needs no decoding as it lies there, packed or not."""
    content = Path(path).read_bytes()
    if encoding is None:
        return content
    if path.lower().endswith(".zst"):
        raise OptionError(f"{path}: of packed files only .gz is decoded. Unpack it first, as in zstd -d {path}.")
    try:
        return plain_bytes(path, encoding, gzip.decompress(content) if path.lower().endswith(".gz") else content)
    except (OSError, EOFError, zlib.error) as error:
        raise OptionError(f"{path} cannot be read to its end: {error}.") from error

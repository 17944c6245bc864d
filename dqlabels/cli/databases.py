"""What a query selects, from a DuckDB or SQLite file, from files, or from a server through ADBC."""

from __future__ import annotations

import re
from pathlib import Path

from dqlabels.errors import OptionError, needing
from dqlabels.frames.arrow import scratch_file

# How files begin, and where.
SQLITE, DUCKDB, DUCKDB_AT = b"SQLite format 3\0", b"DUCK", 8
OF_FILES = re.compile(r"(?:sqlite|duckdb):(?://)?/?(?=.)")


def without_password(address: str) -> str:
    """Return an address as messages show it.

    >>> without_password("postgresql://ann:secret@host/bank?sslmode=require&password=secret")
    'postgresql://ann@host/bank'
    """
    if "://" not in address:
        return address
    return re.sub(r"(?<=//)([^/@:]*)(:[^/@]*)?@", r"\1@", address.partition("?")[0])


def query_to_file(query: str, database: str | None) -> str:
    """Run a query, and keep its rows in a Parquet file that goes with this process; return the name of that file.

    Args:
        query: One statement that selects rows.
        database: A file, which is only read, or the address of a server; None for DuckDB over the files that the query
            names.

    Raises:
        OptionError: There is no such database in the file, or it does not answer the query.
        OSError: There is no such file, or it cannot be read.
        MissingExtraError: What reads it is not installed.
    """
    path = None if database is None else OF_FILES.sub("", database)
    target = scratch_file()
    if path is None:
        _by_duckdb(query, ":memory:", target)
    elif "://" in path:
        _by_adbc(query, path, target)
    else:
        with Path(path).open("rb") as file:
            head = file.read(len(SQLITE))
        if head == SQLITE:
            _by_sqlite(query, path, target)
        elif head[DUCKDB_AT:].startswith(DUCKDB):
            _by_duckdb(query, path, target)
        else:
            raise OptionError(f"{path} is no database of DuckDB or SQLite.")
    return target


def _by_duckdb(query: str, path: str, target: str) -> None:
    with needing('A query is answered by DuckDB: pip install "dqlabels[duckdb]"'):
        import duckdb

    try:
        with duckdb.connect(path, read_only=path != ":memory:") as connection:
            statements = connection.extract_statements(query)
            if [one.type for one in statements] != [duckdb.StatementType.SELECT]:
                raise OptionError("--query is one statement that selects rows, as in 'select * from loans'.")
            connection.sql(query).write_parquet(target)
    except duckdb.Error as error:
        raise _unanswered(path, error) from error


def _by_sqlite(query: str, path: str, target: str) -> None:
    import sqlite3
    from contextlib import closing

    import polars as pl

    address = f"{Path(path).absolute().as_uri()}?mode=ro"
    try:
        with closing(sqlite3.connect(address, uri=True)) as connection:
            pl.read_database(query, connection, infer_schema_length=None).write_parquet(target)
    except (sqlite3.Error, sqlite3.Warning, pl.exceptions.PolarsError) as error:
        raise _unanswered(path, error) from error


def _by_adbc(query: str, address: str, target: str) -> None:
    import polars as pl

    shown, scheme = without_password(address), address.partition(":")[0]
    with needing(f"{shown} is read through ADBC: pip install pyarrow adbc-driver-{scheme}"):
        try:
            pl.read_database_uri(query, address, engine="adbc").write_parquet(target)
        except ImportError:
            raise
        except Exception as error:  # each driver has errors of its own
            raise _unanswered(shown, error) from error


def _unanswered(database: str, error: Exception) -> OptionError:
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
    where = "DuckDB" if database == ":memory:" else database
    return OptionError(f"{where} did not answer the query: {reason}")

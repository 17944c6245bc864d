"""What the commands read besides a plain file: other text, patterns, workbooks, object stores and queries."""

from __future__ import annotations

import gzip
import io
import re
import sqlite3
import zipfile
from contextlib import closing
from pathlib import Path
from xml.sax.saxutils import escape

import polars as pl
import pytest
from support import command
from support.frames import two_classes
from support.object_store import KEY, object_store

from dqlabels.cli.databases import query_to_file, without_password
from dqlabels.cli.sources import Reading, Source, read_table
from dqlabels.errors import DQLabelsError, MissingExtraError, OptionError

# Probabilities of two columns, so that no test trains a model.
JUDGED = ("--label", "label", "--pred-probs", "no,yes", "--quiet")
ROWS = 120


def table() -> pl.DataFrame:
    frame = pl.DataFrame(two_classes(ROWS)).with_columns(yes=1 / (1 + (8 - 4 * pl.col("x")).exp()))
    return frame.with_columns(
        no=1 - pl.col("yes"), city=pl.lit("Zürich"), code=pl.Series([f"{at:04d}" for at in range(ROWS)])
    )


def parquet(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    return buffer.getvalue()


def audited(*arguments: object) -> pl.DataFrame:
    """What ``dqlabels audit`` writes of a table."""
    *_, target = arguments
    done = command.run("audit", *arguments[:-1], *JUDGED, "-o", target)
    assert done.returncode == 0, done.stderr
    return pl.read_parquet(target) if str(target).endswith("parquet") else pl.read_csv(target, infer_schema_length=0)


def refused(*arguments: object, output: Path) -> str:
    """What ``dqlabels audit`` says where it writes nothing."""
    done = command.run("audit", *arguments, *JUDGED, "-o", output)
    assert done.returncode == 2, done.stderr
    assert not output.exists()
    return " ".join(done.stderr.decode().split())


# --- Text


@pytest.mark.parametrize(("written", "separator"), [(";", ";"), ("|", "|"), ("tab", "\t"), ("\\t", "\t")])
def test_a_separator_is_read_and_the_values_come_out_as_written(tmp_path, written, separator):
    (tmp_path / "in.csv").write_text(table().write_csv(separator=separator), encoding="utf-8")
    found = audited(tmp_path / "in.csv", "--separator", written, tmp_path / "out.csv")
    assert found["code"].to_list() == table()["code"].to_list()
    assert found.columns[: table().width] == table().columns


@pytest.mark.parametrize(("separator", "written"), [(";", "';'"), ("|", "'|'"), ("\t", "'tab'")])
def test_columns_that_are_not_told_apart_are_answered_by_their_separator(tmp_path, separator, written):
    (tmp_path / "in.csv").write_text(table().write_csv(separator=separator), encoding="utf-8")
    assert f"--separator {written}" in refused(tmp_path / "in.csv", output=tmp_path / "out.csv")


def test_numbers_with_a_decimal_comma_are_numbers_and_come_out_as_written(tmp_path):
    source, options = tmp_path / "in.csv", ["--separator", ";", "--decimal-comma"]
    written = table().with_columns(pl.col(pl.Float64).cast(pl.String).str.replace(".", ",", literal=True))
    source.write_text(written.write_csv(separator=";"), encoding="utf-8")
    reading = Reading(separator=";", decimal_comma=True)
    assert read_table(str(source), None, reading)["x"].dtype == pl.Float64
    assert audited(source, *options, tmp_path / "out.csv")["x"].to_list() == written["x"].to_list()


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz"])
@pytest.mark.parametrize("encoding", ["cp1252", "utf-16", "utf-8-sig"])
def test_an_encoding_is_read_and_comes_out_as_utf_8(tmp_path, encoding, suffix):
    text = table().write_csv().encode(encoding)
    (tmp_path / f"in{suffix}").write_bytes(gzip.compress(text) if suffix.endswith("gz") else text)
    found = audited(tmp_path / f"in{suffix}", "--encoding", encoding, tmp_path / "out.csv")
    assert found["city"].unique().to_list() == ["Zürich"]
    assert found["code"].to_list() == table()["code"].to_list()


def test_standard_input_takes_an_encoding():
    done = command.run(
        "audit", "-", "--encoding", "cp1252", *JUDGED, "-o", "-", stdin=table().write_csv().encode("cp1252")
    )
    assert done.returncode == 0, done.stderr
    assert "Zürich" in done.stdout.decode("utf-8")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--separator", ";;"], "one character separates columns"),
        (["--separator", "§"], "one character separates columns"),
        (["--decimal-comma"], "needs columns that no comma separates"),
        (["--encoding", "klingon"], "'klingon' is unknown. Use one such as cp1252"),
        (["--encoding", "rot13"], "'rot13' is unknown"),
        (["--encoding", "ascii"], "is not written in ascii: it fails at byte"),
        (["--encoding", "utf-16"], "is not written in utf-16: it (fails|would have no lines)"),
        ([], "is not written in UTF-8.*as in --encoding cp1252"),
        (["--sheet", "loans"], "--sheet is for excel, and this is read as csv"),
    ],
)
def test_text_that_cannot_be_read_so_is_named(tmp_path, options, message):
    source = tmp_path / "in.csv"
    source.write_bytes(table().write_csv().encode("cp1252"))
    assert re.search(message, refused(source, *options, output=tmp_path / "out.csv"))


@pytest.mark.parametrize(
    ("name", "cut", "message"),
    [
        ("in.csv.gz", 20, "in.csv.gz cannot be read to its end"),
        ("in.csv.zst", 0, "of packed files only .gz is decoded"),
    ],
)
def test_a_packed_file_that_cannot_be_decoded_is_named(tmp_path, name, cut, message):
    content = gzip.compress(table().write_csv().encode("cp1252"))
    (tmp_path / name).write_bytes(content[: len(content) - cut])
    assert message in refused(tmp_path / name, "--encoding", "cp1252", output=tmp_path / "out.csv")


@pytest.mark.parametrize("option", ["--separator", "--encoding"])
def test_options_of_text_are_refused_for_other_formats(tmp_path, option):
    table().write_parquet(tmp_path / "in.parquet")
    assert f"{option} is for csv and tsv" in refused(tmp_path / "in.parquet", option, ";", output=tmp_path / "out.csv")


# --- Patterns


@pytest.mark.parametrize("suffix", ["csv", "csv.gz", "tsv", "parquet", "arrow"])
def test_the_files_of_a_pattern_are_one_table_in_the_order_of_their_names(tmp_path, suffix):
    for name, part in (("b", table()[50:]), ("a", table()[:50])):
        text = part.write_csv(separator="\t" if suffix == "tsv" else ",").encode()
        whole = {"parquet": parquet, "arrow": lambda one: one.write_ipc(None).getvalue()}.get(suffix)
        content = gzip.compress(text) if suffix.endswith("gz") else text
        (tmp_path / f"{name}.{suffix}").write_bytes(content if whole is None else whole(part))
    found = audited(tmp_path / f"*.{suffix}", "--glob", tmp_path / "out.csv")
    assert found["code"].to_list() == table()["code"].to_list()


def test_a_file_of_a_pattern_is_taken_by_its_very_name(tmp_path):
    for name in ("d[1]", "d1"):
        (tmp_path / f"{name}.parquet").write_bytes(parquet(table()[:60]))
    source = Source.of(str(tmp_path / "d[[]1].parquet"), None, Reading(glob=True))
    assert source.read().height == 60
    assert read_table(str(tmp_path / "*.parquet"), None, Reading(glob=True)).height == 120


def test_columns_of_a_pattern_have_one_type_whatever_their_first_file_says(tmp_path):
    (tmp_path / "a.csv").write_text("x,y\n1,a\n2,b\n", encoding="utf-8")
    (tmp_path / "b.csv").write_text('x,y\n1.5,""\nfew,\n', encoding="utf-8")
    found = read_table(str(tmp_path / "*.csv"), None, Reading(glob=True))
    assert found["x"].to_list() == ["1", "2", "1.5", "few"]
    assert found["y"].to_list() == ["a", "b", "", None]


@pytest.mark.parametrize("options", [["--glob"], []])
def test_a_pattern_that_no_file_has_is_named(tmp_path, options):
    said = refused(tmp_path / "*.csv", *options, output=tmp_path / "out.csv")
    assert ("matches no file" if options else "No such file") in said


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_other_columns_in_a_file_of_a_pattern_are_named(tmp_path, suffix):
    for name, frame in (("a", table()), ("b", table().rename({"code": "key"}))):
        (tmp_path / f"{name}.{suffix}").write_bytes(
            parquet(frame) if suffix == "parquet" else frame.write_csv().encode()
        )
    said = refused(tmp_path / f"*.{suffix}", "--glob", output=tmp_path / "out.csv")
    assert "key" in said or "code" in said


@pytest.mark.parametrize("suffix", ["csv", "csv.gz"])
def test_a_damaged_text_file_among_several_is_named(tmp_path, suffix):
    whole, damaged = table().write_csv().encode(), b"x,label\n1,a,b,c\n"
    if suffix == "csv.gz":
        whole, damaged = gzip.compress(whole), gzip.compress(whole)[:-20]
    (tmp_path / f"a.{suffix}").write_bytes(whole)
    (tmp_path / f"b.{suffix}").write_bytes(damaged)
    said = refused(tmp_path / f"*.{suffix}", "--glob", output=tmp_path / "out.csv")
    assert f"b.{suffix} cannot be read" in said


@pytest.mark.parametrize("how", ["pattern", "folder"])
def test_a_damaged_file_among_several_is_named(tmp_path, how):
    folder = tmp_path / "loans"
    folder.mkdir()
    (folder / "a.parquet").write_bytes(parquet(table()))
    (folder / "b.parquet").write_bytes(parquet(table())[:-20])
    given = [folder / "*.parquet", "--glob"] if how == "pattern" else [folder]
    said = refused(*given, output=tmp_path / "out.csv")
    assert "b.parquet cannot" in said.replace("\n", " ")


# --- Workbooks


def workbook(path: Path, **sheets: pl.DataFrame) -> Path:
    """A workbook of plain cells, without a library to write it."""

    def cell(value: object) -> str:
        if isinstance(value, str):
            return f'<c t="inlineStr"><is><t>{escape(value)}</t></is></c>'
        return "<c/>" if value is None else f"<c><v>{value}</v></c>"

    spread = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    names = list(sheets)
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("[Content_Types].xml", f'<Types xmlns="{package}/content-types"/>')
        file.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{package}/relationships"><Relationship Id="r" Type="{office}/officeDocument" '
            'Target="xl/workbook.xml"/></Relationships>',
        )
        listed = "".join(f'<sheet name="{name}" sheetId="{at}" r:id="r{at}"/>' for at, name in enumerate(names, 1))
        file.writestr(
            "xl/workbook.xml", f'<workbook xmlns="{spread}" xmlns:r="{office}"><sheets>{listed}</sheets></workbook>'
        )
        related = "".join(
            f'<Relationship Id="r{at}" Type="{office}/worksheet" Target="worksheets/{at}.xml"/>'
            for at in range(1, len(names) + 1)
        )
        file.writestr(
            "xl/_rels/workbook.xml.rels", f'<Relationships xmlns="{package}/relationships">{related}</Relationships>'
        )
        for at, frame in enumerate(sheets.values(), 1):
            rows = [frame.columns, *frame.rows()]
            cells = "".join(f"<row>{''.join(map(cell, row))}</row>" for row in rows)
            file.writestr(
                f"xl/worksheets/{at}.xml", f'<worksheet xmlns="{spread}"><sheetData>{cells}</sheetData></worksheet>'
            )
    return path


def test_a_workbook_of_one_sheet_is_read(tmp_path):
    pytest.importorskip("fastexcel")
    found = audited(workbook(tmp_path / "in.xlsx", loans=table()), tmp_path / "out.parquet")
    assert found["code"].to_list() == table()["code"].to_list()
    assert found["x"].to_list() == pytest.approx(table()["x"].to_list())


def test_of_several_sheets_one_is_named(tmp_path):
    pytest.importorskip("fastexcel")
    source = workbook(tmp_path / "in.xlsx", notes=table()[:1], loans=table())
    assert "has the sheets notes, loans. Name one" in refused(source, output=tmp_path / "out.csv")
    assert "has the sheets notes, loans" in refused(source, "--sheet", "loan", output=tmp_path / "out.csv")
    assert audited(source, "--sheet", "loans", tmp_path / "out.parquet").height == ROWS


def test_a_damaged_workbook_is_named(tmp_path):
    pytest.importorskip("fastexcel")
    (tmp_path / "in.xlsx").write_bytes(b"no workbook")
    assert "in.xlsx cannot be read as a workbook" in refused(tmp_path / "in.xlsx", output=tmp_path / "out.csv")


def test_a_workbook_is_not_written(tmp_path):
    table().write_csv(tmp_path / "in.csv")
    assert "the extension '.xlsx' is unknown" in refused(tmp_path / "in.csv", output=tmp_path / "out.xlsx")


# --- Object stores


@pytest.fixture
def audit_in_store(monkeypatch):
    """A function that serves objects to one key, and runs ``dqlabels audit`` in a process of its own.

    Threads of Polars read the environment, which must not change under them.
    """

    def run(objects, *arguments, key=KEY):
        with object_store(objects) as address:
            settings = {"ENDPOINT_URL": address, "ACCESS_KEY_ID": key, "SECRET_ACCESS_KEY": "s", "REGION": "eu-north-1"}
            for name, value in {**settings, "ALLOW_HTTP": "true"}.items():
                monkeypatch.setenv(f"AWS_{name}", value)
            return command.process("audit", *map(str, arguments), *JUDGED)

    return run


@pytest.mark.parametrize("name", ["in.parquet", "in.csv.gz"])
def test_an_object_is_read_from_its_address(tmp_path, audit_in_store, name):
    content = parquet(table()) if name == "in.parquet" else gzip.compress(table().write_csv().encode())
    done = audit_in_store({f"loans/{name}": content}, f"s3://loans/{name}", "-o", tmp_path / "out.csv")
    assert done.returncode == 0, done.stderr
    found = pl.read_csv(tmp_path / "out.csv", infer_schema_length=0)
    assert found["code"].to_list() == table()["code"].to_list()


@pytest.mark.parametrize(("given", "options"), [("s3://months/", []), ("s3://months/**/*.parquet", ["--glob"])])
def test_the_objects_below_an_address_are_one_table(tmp_path, audit_in_store, given, options):
    objects = {"months/month=1/a.parquet": parquet(table()[:50]), "months/month=2/a.parquet": parquet(table()[50:])}
    done = audit_in_store(objects, given, *options, "-o", tmp_path / "out.parquet")
    assert done.returncode == 0, done.stderr
    found = pl.read_parquet(tmp_path / "out.parquet")
    assert found["code"].to_list() == table()["code"].to_list()
    assert ("month" in found.columns) == (not options)


@pytest.mark.parametrize(("name", "key"), [("in.parquet", "another"), ("missing.parquet", KEY), ("bad.parquet", KEY)])
def test_an_object_that_cannot_be_read_is_named_with_where_credentials_are_taken_from(
    tmp_path, audit_in_store, name, key
):
    objects = {"loans/in.parquet": parquet(table()), "loans/bad.parquet": b"no table at all"}
    done = audit_in_store(objects, f"s3://loans/{name}", "-o", tmp_path / "out.csv", key=key)
    assert done.returncode == 2, done.stderr
    said = done.stderr.decode()
    assert said.startswith(f"dqlabels: s3://loans/{name} cannot be read: ")
    assert "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION" in said
    assert list(tmp_path.iterdir()) == []


def test_azure_without_an_account_is_named_with_the_variables(tmp_path, monkeypatch):
    for name in ("AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_ACCOUNT_KEY"):
        monkeypatch.delenv(name, raising=False)
    assert "AZURE_STORAGE_ACCOUNT_NAME and AZURE" in refused("az://c/in.parquet", output=tmp_path / "out.csv")


def test_a_name_that_only_looks_like_an_address_is_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("s3:").mkdir()
    Path("s3:/in.parquet").write_bytes(parquet(table()))
    assert read_table("s3:/in.parquet").height == ROWS


# --- Queries


def duckdb_file(path: Path) -> Path:
    duckdb = pytest.importorskip("duckdb")
    loans = table()
    with duckdb.connect(str(path)) as connection:
        connection.register("given", loans.to_arrow())
        connection.sql("create table loans as select * from given")
    return path


def sqlite_file(path: Path) -> Path:
    with closing(sqlite3.connect(path)) as connection, connection:
        columns = table().columns
        connection.execute(f"create table loans ({', '.join(columns)})")
        connection.executemany(f"insert into loans values ({', '.join('?' * len(columns))})", table().rows())  # noqa: S608
    return path


DATABASES = {"duckdb": duckdb_file, "sqlite": sqlite_file}


@pytest.fixture(params=DATABASES)
def database(request, tmp_path) -> Path:
    return DATABASES[request.param](tmp_path / "bank.db")


def test_what_a_query_selects_is_audited(tmp_path, database):
    query = "select * from loans where code >= '0060' order by code"
    found = audited("--query", query, "--database", database, tmp_path / "out.parquet")
    assert found["code"].to_list() == table()["code"].to_list()[60:]
    assert found.columns == [*table().columns, "label_quality", "suggested_label", "is_label_issue"]


def test_a_database_has_an_address_too(database):
    kind = "sqlite" if database.read_bytes().startswith(b"SQLite") else "duckdb"
    assert pl.read_parquet(query_to_file("select * from loans", f"{kind}:///{database}")).height == ROWS


def test_a_query_is_audited_in_passes_where_it_selects_many_rows(tmp_path, database):
    reading = Reading(query="select * from loans", database=str(database))
    assert Source.of(str(database), None, reading).read().height == ROWS
    if hasattr(pl.LazyFrame, "collect_batches"):
        assert Source.of(str(database), None, reading).scan().collect().height == ROWS


def test_a_query_of_files_needs_no_database(tmp_path):
    pytest.importorskip("duckdb")
    (tmp_path / "a.parquet").write_bytes(parquet(table()))
    query = f"from '{(tmp_path / '*.parquet').as_posix()}'"
    assert audited("--query", query, tmp_path / "out.parquet").height == ROWS


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("select * from loan", "did not answer the query: .*loan"),
        ("select * from loans where x > 1e9", "no rows"),
        ("drop table loans", "readonly database|one statement that selects"),
        ("selec", "did not answer the query|one statement"),
        ("select 1; select 2", "did not answer the query|one statement"),
    ],
)
def test_a_query_that_gives_no_table_is_named_and_changes_nothing(tmp_path, database, query, message):
    before = database.read_bytes()
    assert re.search(message, refused("--query", query, "--database", database, output=tmp_path / "out.csv"))
    assert database.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bank.db"]


def test_a_query_that_fails_midway_is_named(tmp_path, database):
    kind = "sqlite" if database.read_bytes().startswith(b"SQLite") else "duckdb"
    late = "case when code > '0100' then 'late' else '1' end"
    failing = {"sqlite": f"json_extract({late}, '$')", "duckdb": f"cast({late} as int)"}[kind]
    query = f"select *, {failing} from loans"  # noqa: S608
    said = refused("--query", query, "--database", database, output=tmp_path / "out.csv")
    assert "did not answer the query" in said


@pytest.mark.parametrize("name", ["typo.db", "folder/typo.duckdb", "duckdb:///typo.duckdb", "sqlite://typo.db"])
def test_a_database_that_is_not_there_is_not_created(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    done = command.run("audit", "--query", "select 1", "--database", name, *JUDGED)
    assert done.returncode == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"x,y\n1,2\n"])
def test_a_file_that_is_no_database_is_named(tmp_path, content):
    (tmp_path / "in.db").write_bytes(content)
    said = refused("--query", "select 1", "--database", tmp_path / "in.db", output=tmp_path / "out.csv")
    assert "is no database of DuckDB or SQLite" in said


def test_a_driver_that_is_missing_is_named_and_no_password_is_shown():
    with pytest.raises(MissingExtraError, match="pip install pyarrow adbc-driver-nowhere") as caught:
        query_to_file("select 1", "nowhere://ann:secret@host/bank?password=secret")
    assert "secret" not in str(caught.value)


def test_a_gate_names_the_database_without_its_password(tmp_path):
    done = command.run(
        "gate", "--query", "select 1", "--database", "nowhere://ann:secret@host/bank", "--label", "label",
        "--max-noise-rate", "0.5", "--json",
    )  # fmt: skip
    assert done.returncode == 2
    assert b"nowhere://ann@host/bank" in done.stdout
    assert b"secret" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "FILE is missing"),
        (["in.csv", "--query", "select 1"], "both say what to read"),
        (["--database", "bank.db"], "--database is read by a --query alone"),
        (["in.csv", "--database", "bank.db", "--query", "select 1"], "Leave FILE out"),
    ],
)
def test_one_thing_says_what_to_read(tmp_path, arguments, message):
    assert message in refused(*arguments, output=tmp_path / "out.csv")


@pytest.mark.parametrize(
    "name", ["audit", "gate", "monitor", "fit", "profile", "checkup", "annotators", "review-sample"]
)
def test_the_commands_that_read_a_table_have_the_same_options(name):
    shown = command.run(name, "--help", columns=200).stdout.decode()
    for option in ("--glob", "--separator", "--decimal-comma", "--encoding", "--sheet", "--query", "--database"):
        assert option in shown


def test_a_monitor_and_fit_read_a_query(tmp_path):
    database = sqlite_file(tmp_path / "bank.db")
    asked = ["--query", "select x, label from loans", "--database", database]
    assert command.run("fit", *asked, "--label", "label", "-o", tmp_path / "a.dqlabels", "-q").returncode == 0
    done = command.run("monitor", *asked, "--auditor", tmp_path / "a.dqlabels", "--history", tmp_path / "h.jsonl")
    assert done.returncode in (0, 1), done.stderr
    assert (tmp_path / "h.jsonl").exists()


def test_an_address_without_a_password_stays():
    assert without_password("bank.db") == "bank.db"
    with pytest.raises(DQLabelsError):
        Reading(database="bank.db").named(None)
    with pytest.raises(OptionError):
        Reading().named(None)

"""The command line, run as users run it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from support.command import process, run
from support.frames import ROOT, two_classes

import dqlabels
from dqlabels.__main__ import main

READ = {"csv": pl.read_csv, "parquet": pl.read_parquet, "arrow": pl.read_ipc, "ndjson": pl.read_ndjson}
WRITE = {"csv": "write_csv", "parquet": "write_parquet", "arrow": "write_ipc", "ndjson": "write_ndjson"}


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "table.csv"
    pl.DataFrame(two_classes()).write_csv(path)
    return path


@pytest.mark.parametrize("kind", READ)
def test_every_format_is_read_and_written(tmp_path, kind):
    source, target = tmp_path / f"in.{kind}", tmp_path / f"out.{kind}"
    frame = pl.DataFrame(two_classes())
    getattr(frame, WRITE[kind])(source)
    done = run("audit", str(source), "--label", "label", "-o", str(target), "--quiet")
    assert done.returncode == 0, done.stderr
    audited = READ[kind](target)
    assert audited.columns == ["x", "z", "label", "label_quality", "suggested_label", "is_label_issue"]
    assert audited.select("x", "z", "label").equals(frame)


def test_standard_input_to_standard_output(table):
    done = process("audit", "-", "--label", "label", "-o", "-", stdin=table.read_bytes())
    assert pl.read_csv(done.stdout).height == 120
    assert b"labels flagged" in done.stderr


def test_the_summary_names_the_noise_rate_and_its_assumption(table):
    text = run("audit", str(table), "--label", "label").stdout.decode()
    assert "Estimated noise rate" in text
    assert "Assumes that every row of a class is equally likely" in text


@pytest.mark.parametrize("command", ["audit", "checkup"])
def test_a_command_says_what_it_wrote(table, tmp_path, command):
    target = tmp_path / "out.csv"
    said = " ".join(run(command, str(table), "--label", "label", "-o", str(target)).stdout.decode().split())
    assert f"Wrote {target}: the rows of {table} as they were" in said


def test_a_quiet_command_does_not_say_what_it_wrote(table, tmp_path):
    done = run("audit", str(table), "--label", "label", "-o", str(tmp_path / "out.csv"), "--quiet")
    assert done.stdout + done.stderr == b""


def test_the_summary_says_how_many_flags_are_likely_wrong(table):
    facts = json.loads(run("audit", str(table), "--label", "label", "--json").stdout)
    wrong, low, high = (round(facts["expected_wrong"][end]) for end in ("estimate", "low", "high"))
    text = " ".join(run("audit", str(table), "--label", "label").stdout.decode().split())
    assert f"labels flagged ({facts['flagged_share']:.1%}); about {wrong} ({low} to {high}) of them" in text


def test_a_precision_flags_what_it_flags_in_python(table):
    done = run("audit", str(table), "--label", "label", "--json", "--min-precision", "0.99")
    sure = dqlabels.audit(pl.DataFrame(two_classes()), "label", min_precision=0.99)
    assert json.loads(done.stdout)["flagged"] == sure.flagged


def test_json_is_all_that_is_printed(table):
    done = run("audit", str(table), "--label", "label", "--json", "--max-noise-rate", "0.9")
    facts = json.loads(done.stdout)
    assert (facts["audited"], facts["gate"]["verdict"]) == (120, "pass")


@pytest.mark.parametrize(("limit", "status"), [("0.9", 0), ("0.001", 1), ("5", 2)])
def test_the_gate_is_the_exit_status(table, limit, status):
    done = run("audit", str(table), "--label", "label", "--max-noise-rate", limit)
    assert done.returncode == status


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--label", "lable"], "Did you mean 'label'?"),
        (["--label", "label", "--score", "luck"], "score='luck' is none of"),
        (["--label", "label", "-o", "out.xlsx"], "extension '.xlsx' is unknown"),
    ],
)
def test_a_mistake_is_one_message_and_status_2(table, arguments, message):
    done = run("audit", str(table), *arguments)
    assert done.returncode == 2
    assert message in done.stderr.decode()
    assert "Traceback" not in done.stderr.decode()


def test_a_missing_file_is_status_2(tmp_path):
    done = run("audit", str(tmp_path / "none.csv"), "--label", "y")
    assert (done.returncode, b"No such file" in done.stderr) == (2, True)


def test_a_file_of_another_format_is_status_2(tmp_path, table):
    path = tmp_path / "not.parquet"
    path.write_bytes(table.read_bytes())
    done = run("audit", str(path), "--label", "label")
    assert (done.returncode, b"cannot be read as parquet" in done.stderr) == (2, True)


def test_a_failed_audit_leaves_the_former_output(table, tmp_path):
    target = tmp_path / "out.csv"
    target.write_text("former")
    assert run("audit", str(table), "--label", "none", "-o", str(target)).returncode == 2
    assert target.read_text() == "former"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.csv", "table.csv"]


def test_a_full_disk_leaves_the_former_output(tmp_path, table, monkeypatch):
    from dqlabels.cli import files
    from dqlabels.frames import atomic

    target = tmp_path / "out.csv"
    target.write_text("former")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(atomic.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        files.write_table(pl.DataFrame({"a": [1]}), str(target))
    assert target.read_text() == "former"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.csv", "table.csv"]


def test_hostile_values_are_printed_as_they_are(tmp_path):
    data = two_classes()
    data["label"] = ["[red]no[/red]" if value == "no" else "\x1b[31myes" for value in data["label"]]
    path = tmp_path / "hostile.parquet"
    pl.DataFrame(data).write_parquet(path)
    text = run("audit", str(path), "--label", "label").stdout
    assert b"[red]no[/red]" in text
    assert b"\x1b[31m" not in text


def test_probabilities_with_their_classes(tmp_path):
    truth = [i % 2 for i in range(60)]
    path = tmp_path / "probs.csv"
    pl.DataFrame({"y": truth, "a": [0.9 - 0.8 * k for k in truth], "b": [0.1 + 0.8 * k for k in truth]}).write_csv(path)
    arguments = ["audit", str(path), "-y", "y", "--pred-probs", "a,b"]
    assert b"classes=" in run(*arguments).stderr
    assert run(*arguments, "--classes", "0,1").returncode == 0


def test_notes_are_printed_not_warned(tmp_path):
    path = tmp_path / "ids.csv"
    pl.DataFrame({**two_classes(), "id": range(120)}).write_csv(path)
    done = run("audit", str(path), "--label", "label")
    assert (done.returncode, b"Note: Columns 'id' identify rows" in done.stdout) == (0, True)


def test_the_demo_finds_flipped_labels():
    text = run("demo").stdout.decode()
    assert "54 of 1,797 labels were flipped on purpose" in text


def test_version():
    from dqlabels.version import __version__

    assert process("--version").stdout.decode().strip() == f"dqlabels {__version__}"


def test_a_fault_of_the_program_is_not_a_failed_gate(table, tmp_path):
    broken = (
        "import dqlabels.audits.audit as a; a.run_audit = lambda *x, **y: 1 / 0; from dqlabels.cli import run; run()"
    )
    done = subprocess.run(
        [sys.executable, "-c", broken, "audit", str(table), "--label", "label"], capture_output=True, check=False
    )
    assert done.returncode == 70
    assert b"ZeroDivisionError" in done.stderr


def test_an_interruption_is_said_in_words(table):
    broken = (
        "import dqlabels.audits.audit as a\ndef stop(*x, **y): raise KeyboardInterrupt\n"
        "a.run_audit = stop\nfrom dqlabels.cli import run\nrun()"
    )
    done = subprocess.run(
        [sys.executable, "-c", broken, "audit", str(table), "--label", "label"], capture_output=True, check=False
    )
    assert done.returncode == 130
    assert done.stderr == b"dqlabels: interrupted; nothing was written\n"


def test_lists_cannot_be_written_as_csv_and_this_is_said_before_the_work(tmp_path):
    source = tmp_path / "in.parquet"
    pl.DataFrame({**two_classes(), "v": [[1.0, 2.0]] * 120}).write_parquet(source)
    done = run("audit", str(source), "--label", "label", "-o", str(tmp_path / "out.csv"))
    assert done.returncode == 2
    assert b"Write Parquet" in done.stderr


def test_a_missing_folder_is_said_before_the_work(table, tmp_path):
    done = run("audit", str(table), "--label", "label", "-o", str(tmp_path / "no" / "out.csv"))
    assert done.returncode == 2
    assert b"does not exist" in done.stderr


def test_a_pipe_may_change_the_format(table):
    done = run("audit", "-", "-y", "label", "-o", "-", "--output-format", "ndjson", stdin=table.read_bytes())
    assert done.stdout.startswith(b'{"x":')


def test_an_inconclusive_gate_is_told_even_when_quiet(table):
    limits = ["--max-noise-rate", "0.05", "--decide", "confident", "-q"]
    done = run("audit", str(table), "--label", "label", *limits)
    assert done.returncode == 0
    assert b"inconclusive" in done.stderr.lower()


def test_the_rows_of_a_narrow_terminal_show_their_number_and_label_whole():
    loans = ROOT / "examples" / "data" / "german_credit.csv"
    text = run("audit", str(loans), "-y", "risk", columns=60).stdout.decode()
    table = text[text.index("Most suspicious rows") :]
    assert "│ 998 │ bad  │ good" in table
    assert "…" not in table


def test_without_an_extra_of_the_command_line_the_cure_is_said(monkeypatch, capsys):
    for name in [name for name in sys.modules if name.startswith("dqlabels.cli")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "typer", None)
    with pytest.raises(SystemExit, match="2"):
        main()
    assert capsys.readouterr().err == 'The command line needs typer: pip install "dqlabels[cli]"\n'


def test_a_fault_of_an_import_is_not_taken_for_a_missing_extra(monkeypatch):
    for name in [name for name in sys.modules if name.startswith("dqlabels.cli")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "dqlabels.cli", None)
    with pytest.raises(ModuleNotFoundError, match=r"dqlabels\.cli"):
        main()

"""``dqlabels fit`` and ``dqlabels audit --auditor``, run as users run them."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from support.command import run
from support.frames import two_classes

from dqlabels import LabelAuditor


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("jobs")
    pl.DataFrame(two_classes()).write_csv(folder / "monday.csv")
    pl.DataFrame(two_classes(seed=5)).write_csv(folder / "tuesday.csv")
    noisy = [
        ("no" if value == "yes" else "yes") if at % 3 == 0 else value for at, value in enumerate(two_classes()["label"])
    ]
    pl.DataFrame(two_classes(seed=5) | {"label": noisy}).write_csv(folder / "wednesday.csv")
    done = run("fit", str(folder / "monday.csv"), "--label", "label", "-o", str(folder / "label.dqlabels"))
    assert done.returncode == 0, done.stderr
    (folder / "said").write_bytes(done.stdout)
    return folder


def test_fit_says_what_it_learned(folder):
    said = (folder / "said").read_text()
    assert "judges 'label' (2 classes) by 2 columns, learned from 120 rows" in " ".join(said.split())


def test_a_batch_is_audited_as_in_python(folder, tmp_path):
    target = tmp_path / "out.parquet"
    done = run(
        "audit", str(folder / "tuesday.csv"), "--auditor", str(folder / "label.dqlabels"), "-o", str(target), "-q"
    )
    assert done.returncode == 0, done.stderr
    expected = LabelAuditor("label").fit(pl.read_csv(folder / "monday.csv")).audit(pl.read_csv(folder / "tuesday.csv"))
    assert pl.read_parquet(target).equals(expected.frame)


@pytest.mark.parametrize(("batch", "status", "verdict"), [("tuesday", 0, "pass"), ("wednesday", 1, "fail")])
def test_a_gate_on_the_increase_needs_no_reference(folder, batch, status, verdict):
    auditor = str(folder / "label.dqlabels")
    done = run("audit", str(folder / f"{batch}.csv"), "--auditor", auditor, "--max-increase", "0.1", "--json")
    facts = json.loads(done.stdout)
    assert (done.returncode, facts["gate"]["verdict"]) == (status, verdict)
    assert facts["drift"][0]["what"] == "noise rate"


def test_a_saved_auditor_is_a_reference_for_an_audit_that_trains(folder):
    reference = str(folder / "label.dqlabels")
    done = run(
        "audit",
        str(folder / "wednesday.csv"),
        "--label",
        "label",
        "--max-increase",
        "0.1",
        "--reference",
        reference,
        "-q",
    )
    assert (done.returncode, b"the increase of the noise rate" in done.stderr) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--score", "self_confidence", "--adjust"], b"--score, --adjust: settled when the auditor was fitted"),
        (["--task", "regression"], b"--task: settled when the auditor was fitted"),
        (["--label", "z"], b"--label 'z' is not the column that"),
    ],
)
@pytest.mark.parametrize("command", [["audit"], ["gate", "--max-noise-rate", "0.5"]])
def test_what_was_settled_when_fitting_is_refused(folder, command, arguments, why):
    done = run(*command, str(folder / "tuesday.csv"), "--auditor", str(folder / "label.dqlabels"), *arguments)
    assert (done.returncode, why in done.stderr) == (2, True)


def test_a_file_that_is_no_auditor_is_refused(folder):
    done = run("audit", str(folder / "tuesday.csv"), "--auditor", str(folder / "monday.csv"))
    assert (done.returncode, b"it is not a saved auditor" in done.stderr) == (2, True)


def test_an_audit_needs_a_label_or_an_auditor(folder):
    done = run("audit", str(folder / "tuesday.csv"))
    assert (done.returncode, b"--label is needed" in done.stderr) == (2, True)


def test_a_folder_that_does_not_exist_is_refused_before_fitting(folder):
    done = run("fit", str(folder / "monday.csv"), "--label", "label", "-o", str(folder / "none" / "a.dqlabels"))
    assert (done.returncode, b"does not exist" in done.stderr) == (2, True)


@pytest.mark.parametrize(("batch", "status", "verdict"), [("tuesday", 0, "pass"), ("wednesday", 1, "fail")])
def test_the_gate_command_judges_by_an_auditor_that_knows_its_label(folder, batch, status, verdict):
    auditor = str(folder / "label.dqlabels")
    done = run("gate", str(folder / f"{batch}.csv"), "--auditor", auditor, "--max-increase", "0.1", "--json")
    facts = json.loads(done.stdout)
    assert (done.returncode, facts["verdict"], facts["label"]) == (status, verdict, "label")


def test_a_gate_without_an_auditor_needs_a_label(folder):
    done = run("gate", str(folder / "tuesday.csv"), "--max-noise-rate", "0.1")
    assert (done.returncode, b"--label is needed" in done.stderr) == (2, True)


def test_an_auditor_judges_one_column(folder):
    auditor = str(folder / "label.dqlabels")
    labels = ["--label", "label", "--label", "x"]
    done = run("gate", str(folder / "tuesday.csv"), "--auditor", auditor, *labels, "--max-noise-rate", "0.1")
    assert (done.returncode, b"an auditor judges one column, and 2 are named" in done.stderr) == (2, True)

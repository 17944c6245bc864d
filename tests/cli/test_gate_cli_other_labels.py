"""``dqlabels gate`` on numbers, annotators, several labels a row and grades."""

from __future__ import annotations

import json
from typing import Any
from xml.etree import ElementTree

import polars as pl
import pytest
from support.command import run
from support.other_labels import (
    ANNOTATORS,
    SPAN_TAGS,
    TAGS,
    graded,
    prices,
    rated,
    rated_long,
    sentences,
    tagged,
    ticked,
)

import dqlabels

PROBS = ["--pred-probs", "p_cat,p_dog,p_owl", "--classes", "cat,dog,owl"]
COLUMNS = [part for name in ANNOTATORS for part in ("--label", name)]
TICKED = [part for name in TAGS for part in ("--label", name)]
LONG = ["--label", "said", "--annotator", "who", "--item", "item"]
GRADED = ["--label", "grade", "--task", "ordinal", "--pred-probs", "p_0,p_1,p_2,p_3", "--classes", "0,1,2,3"]
TOKENS = ["--label", "tags", "--task", "tokens", "--pred-probs", "probs", "--classes", ",".join(SPAN_TAGS)]
# A table, what its labels are, limits that they keep, and the share of wrong labels that breaks them.
CASES: dict[str, tuple[Any, list[str], list[str], float]] = {
    "values": (prices, ["--label", "price", "--task", "regression"], ["--max-flagged-share", "0.02"], 0.05),
    "values by the column": (prices, ["--label", "price", "--fdr", "0.05"], ["--max-flagged-share", "0.02"], 0.05),
    "annotators": (rated, COLUMNS, ["--min-agreement", "0.8", "--max-noise-rate", "0.1"], 0.3),
    "one annotator": (rated, COLUMNS, ["--max-annotator-noise-rate", "agency=0.1"], 0.3),
    "a row a label": (rated_long, LONG, ["--min-agreement", "0.8"], 0.3),
    "tags": (tagged, ["--label", "tags", *PROBS], ["--max-noise-rate", "0.03"], 0.3),
    "one tag": (ticked, [*TICKED, "--task", "multilabel", *PROBS], ["--max-class-noise-rate", "owl=0.05"], 0.3),
    "tokens": (sentences, TOKENS, ["--max-noise-rate", "0.05", "--max-class-noise-rate", "O=0.2"], 0.3),
    "grades": (graded, GRADED, ["--max-noise-rate", "0.05"], 0.3),
}


@pytest.fixture
def write(tmp_path):
    def written(table):
        path = tmp_path / "table.parquet"
        pl.DataFrame(table).write_parquet(path)
        return path

    return written


@pytest.mark.parametrize("name", CASES)
def test_the_verdict_is_the_exit_status(write, name):
    table, labels, limits, wrong = CASES[name]
    for share, status in ((0.0, 0), (wrong, 1)):
        done = run("gate", write(table(share)), *labels, *limits)
        assert done.returncode == status, done.stdout + done.stderr
        assert done.stdout.startswith(b"FAIL: " if status else b"PASS: ")


def test_the_message_is_that_of_the_audit(write):
    audit = dqlabels.audit(pl.DataFrame(prices(0.05)), "price", task="regression", fdr=0.2)
    options = ["--label", "price", "--task", "regression", "--fdr", "0.2", "--max-flagged-share", "0.01"]
    done = run("gate", write(prices(0.05)), *options)
    assert audit.gate(max_flagged_share=0.01).message in done.stdout.decode()


@pytest.mark.parametrize("option", [["--json"], ["--format", "json"]])
def test_json_has_every_check(write, option):
    done = run("gate", write(rated(0.3)), *COLUMNS, "--min-agreement", "0.8", "--max-noise-rate", "0.5", *option)
    facts = json.loads(done.stdout)
    assert (facts["label"], facts["verdict"], facts["passed"]) == (", ".join(ANNOTATORS), "fail", False)
    assert [(check["measure"], check["verdict"]) for check in facts["checks"]] == [
        ("agreement", "fail"),
        ("share", "pass"),
    ]


@pytest.mark.parametrize("name", ["values", "annotators"])
def test_junit_says_what_must_hold(write, name):
    table, labels, limits, wrong = CASES[name]
    done = run("gate", write(table(wrong)), *labels, *limits, "--format", "junit")
    cases = ElementTree.fromstring(done.stdout).findall(".//testcase")  # noqa: S314 - our own
    asked = {
        "values": ["the share of flagged values at a false-discovery rate of 10% is at most 2.0%"],
        "annotators": [
            "the annotators' agreement, Krippendorff's alpha is at least 0.800",
            "the share of wrong labels is at most 10.0%",
        ],
    }
    assert sorted(case.attrib["name"] for case in cases) == asked[name]


@pytest.mark.parametrize(("on_inconclusive", "status"), [("fail", 1), ("pass", 0), ("warn", 0)])
def test_an_undecided_gate_exits_as_it_was_told(write, on_inconclusive, status):
    limits = ["--max-flagged-share", "0.05", "--decide", "confident", "--on-inconclusive", on_inconclusive]
    done = run("gate", write(prices(0.05)), "--label", "price", *limits)
    assert done.returncode == status
    assert done.stdout.startswith(b"INCONCLUSIVE: ")


@pytest.mark.parametrize(
    ("table", "options", "said"),
    [
        (prices, ["--label", "price", "--max-noise-rate", "0.1"], "a gate on numbers has no such option"),
        (prices, ["--label", "price", "--max-flagged-share", "0.1", "--method", "em"], "--method: a gate on numbers"),
        (prices, ["--label", "price", "--max-flagged-share", "2"], "max_flagged_share=2.0 is not a share"),
        (prices, ["--label", "price", "--task", "numbers", "--max-flagged-share", "0.1"], "task='numbers' is none of"),
        (rated, [*COLUMNS, "--max-flagged-share", "0.1"], "--min-agreement"),
        (rated, [*COLUMNS, "--min-agreement", "2"], "min_agreement=2.0 is not an agreement"),
        (rated, [*COLUMNS, "--max-annotator-noise-rate", "nobody=0.1"], "'nobody' gave no label"),
        (
            rated,
            ["--label", "core", "--max-noise-rate", "0.1", "--annotator", "agency"],
            "annotator= was given without item=",
        ),
        (ticked, [*TICKED, "--max-noise-rate", "0.1"], "task='annotators' or task='multilabel'"),
        (graded, ["--label", "grade", "--min-agreement", "0.1"], "a gate on classes has no such option"),
    ],
)
def test_what_cannot_be_checked_exits_with_2(write, table, options, said):
    done = run("gate", write(table()), *options)
    assert done.returncode == 2
    assert said in done.stderr.decode()


def test_a_review_of_labels_that_have_none_is_refused_as_in_python(write):
    table = write(prices())
    done = run("gate", table, "--label", "price", "--max-flagged-share", "0.1", "--reviewed", table)
    assert done.returncode == 2
    assert b"with_review() is not there for 'price', which was audited as numbers" in done.stderr


def test_audited_sentences_are_written_and_can_be_audited_again(write, tmp_path):
    audited = tmp_path / "audited.parquet"
    for source in (write(sentences(0.05)), audited):
        done = run("audit", source, *TOKENS, "-o", audited)
        assert done.returncode == 0, done.stdout + done.stderr
        assert b"Worst tokens" in done.stdout
    options = {"task": "tokens", "pred_probs": "probs", "classes": SPAN_TAGS}
    assert pl.read_parquet(audited).equals(dqlabels.audit(pl.DataFrame(sentences(0.05)), "tags", **options).frame)

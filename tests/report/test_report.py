"""The HTML report: what it says, what it escapes, how large it grows."""

from __future__ import annotations

import csv
import json
import re
import sys
from html import escape
from html.parser import HTMLParser
from pathlib import Path

import narwhals as nw
import numpy as np
import polars as pl
import pytest
from support.command import run
from support.frames import two_classes
from support.other_labels import TAG_PROBS, tagged
from support.reports import HOSTILE, many_classes

import dqlabels
from dqlabels import DQLabelsError
from dqlabels.report.draw import quality_bars
from dqlabels.report.reading import curve_of, first_to_read, reading_words
from dqlabels.report.sections import full_bar
from dqlabels.report.text import first_sentence


@pytest.fixture(scope="module")
def audit():
    return dqlabels.audit(pl.DataFrame(two_classes()), "label")


class Tags(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))


def test_the_page_names_rate_interval_and_assumption(make_frame):
    found = dqlabels.audit(make_frame(two_classes()), "label")
    page, rate = found.to_html(), found.noise_rate
    assert f"{rate.estimate:.1%} of the labels are wrong" in page
    assert f"{rate.low:.1%} to {rate.high:.1%}" in page
    for sentence in first_sentence(rate.assumption):
        assert escape(sentence).replace("&#x27;", "&#39;") in page


def test_every_library_gives_the_same_page(make_frame):
    def same(page: str) -> str:  # but for when it was written and with which library
        return re.sub(r"dqlabels [\d.]+ on Python.*?</p>", "", page)

    here = dqlabels.audit(make_frame(two_classes()), "label").to_html()
    assert same(here) == same(dqlabels.audit(pl.DataFrame(two_classes()), "label").to_html())


def test_the_page_asks_the_network_for_nothing(audit):
    page = audit.to_html()
    asking = [tag for tag, attrs in Tags(page).tags if {"src", "action", "srcset", "data"} & attrs.keys()]
    links = [attrs["href"] for tag, attrs in Tags(page).tags if "href" in attrs]
    assert (asking, [link for link in links if not link.startswith("#")]) == ([], [])
    assert "url(" not in page
    assert "default-src 'none'" in page


def test_what_came_from_data_is_escaped():
    data = two_classes()
    data[HOSTILE] = data.pop("x")
    data["text"] = [f"{HOSTILE} {k} some words that differ" for k in range(120)]
    data["label"] = [HOSTILE if value == "no" else "yes" for value in data["label"]]
    page = dqlabels.audit(pl.DataFrame(data), "label").to_html()
    tags = [tag for tag, _ in Tags(page).tags]
    assert ("img" in tags, tags.count("script")) == (False, 1)
    assert "&lt;/script&gt;&lt;img" in page
    assert not any(name.startswith("on") for _, attrs in Tags(page).tags for name in attrs)


def test_what_came_from_data_is_escaped_in_a_notebook():
    data = two_classes()
    data["label"] = [HOSTILE if value == "no" else "yes" for value in data["label"]]
    shown = dqlabels.audit(pl.DataFrame(data), "label")._repr_html_()
    assert "img" not in [tag for tag, _ in Tags(shown).tags]
    assert "&lt;/script&gt;&lt;img" in shown


def test_a_notebook_needs_no_template_library(audit, monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    assert "labels are wrong" in audit._repr_html_()
    with pytest.raises(DQLabelsError, match=r'The HTML report needs jinja2: pip install "dqlabels\[report\]"'):
        audit.to_html()


def test_a_notebook_shows_the_worst_rows_with_values_and_the_first_of_many_classes():
    found = many_classes()
    shown = found._repr_html_()
    worst = found.report_facts(rows=1)["shown"][0]
    assert f"<td class='n'>{worst['row']}</td>" in shown
    assert "Commonest pairs" in shown
    assert "… and 990 more" in shown
    assert shown.count("<td class='values'>") == 10


def test_a_notebook_without_flagged_rows_has_no_list_of_them():
    other = np.repeat([0.05, 0.95], 50)
    frame = pl.DataFrame({"low": 1 - other, "high": other, "y": ["low"] * 50 + ["high"] * 50})
    shown = dqlabels.audit(frame, "y", pred_probs=["low", "high"])._repr_html_()
    assert "No row is flagged" in shown
    assert "class='values'" not in shown


def test_the_page_is_a_few_hundred_kilobytes_with_1000_classes():
    page = many_classes().to_html()
    assert len(page.encode()) < 600_000
    assert "30 of 1,000 listed" in page


def test_the_size_does_not_grow_with_rows_columns_or_texts():
    rng = np.random.default_rng(0)
    rows = 3000
    wrong = rng.random(rows) < 0.1
    truth = np.arange(rows) % 2
    columns = {f"a column of number {k}": truth + rng.normal(size=rows) for k in range(200)}
    columns["text"] = ["a very long text " * 500 + str(k) for k in range(rows)]
    label = np.where(wrong, 1 - truth, truth)
    probs = np.stack([1 - (truth * 0.8 + 0.1), truth * 0.8 + 0.1], axis=1)
    found = dqlabels.audit(pl.DataFrame({**columns, "label": label}), "label", pred_probs=probs, classes=[0, 1])
    assert found.flagged > 200
    assert len(found.to_html().encode()) < 600_000


def test_no_issues_is_said_in_words():
    sure = np.repeat([0.05, 0.95], 50)  # each label is the likelier class, so none can be flagged
    frame = pl.DataFrame({"low": 1 - sure, "high": sure, "y": ["low"] * 50 + ["high"] * 50})
    page = dqlabels.audit(frame, "y", pred_probs=["low", "high"]).to_html()
    assert "No row is flagged" in page
    assert 'id="rows"' not in page


def test_alike_rows_with_different_labels_are_noted(make_frame):
    data = two_classes()
    data = {name: [*values, values[0]] for name, values in data.items()}
    data["label"][-1] = "yes" if data["label"][0] == "no" else "no"
    page = dqlabels.audit(make_frame(data), "label").to_html()
    assert "1 groups of rows alike in every feature carry different labels: 2 rows" in page


def test_a_class_rate_that_a_review_leaves_open_has_a_wide_interval(audit):
    reviewed = audit.with_review(audit.review_sample(12).with_columns(reviewed_label=pl.col("label")))
    assert '0.0% <span class="soft small">(0% to 100%)</span>' in reviewed.to_html()


def test_the_gate_comes_first(audit):
    page = audit.to_html(gate=audit.gate(max_noise_rate=0.001))
    assert "The gate failed" in page
    assert "limit 0.1%" in page


def test_the_histogram_holds_every_row(audit):
    drawn = audit.report_facts()["histogram"]
    assert (sum(drawn["flagged"]), sum(drawn["kept"])) == (audit.flagged, audit.audited - audit.flagged)


def without_tags(page: str) -> str:
    return re.sub(r"<[^>]+>", " ", page)


def test_the_page_begins_with_what_to_do_and_ends_with_how_it_was_made(audit):
    heads = re.findall(r"<h2[^>]*>([^<]+)</h2>", audit.to_html())
    assert heads[:3] == ["What to do", "The worst rows", "Which classes"]
    assert heads[-3:] == ["How likely each label is right", "About the data", "How this was made"]


def test_the_page_says_which_rate_to_use(audit):
    rate, flagged, error = audit.noise_rate, audit.flagged_share, audit.model_error
    assert rate.supported
    others = f"the {flagged:.1%} of rows that are flagged or the {error:.1%} on which the model disagrees"
    assert f"Judge the table by this rate, not by {others}." in audit.to_html()


def test_a_rate_that_the_table_does_not_support_is_not_given_as_one():
    rng = np.random.default_rng(0)
    frame = pl.DataFrame({"x": rng.normal(size=120), "y": rng.choice(["a", "b"], 120)})
    found = dqlabels.audit(frame, "y")
    assert not found.noise_rate.supported
    for shown in (found.to_html(), found._repr_html_()):
        assert "This table does not tell how many labels are wrong." in shown
        assert "Judge the table by this rate" not in shown
        assert "on a scale from" not in shown  # nor is it drawn


def test_two_classes_are_shown_in_one_table(audit):
    page = audit.to_html()
    assert 'class="heat"' not in page
    assert "Which label is taken for which" not in page
    shares = [one["flagged_share"] for one in audit.report_facts()["classes"]]
    assert [page.count(f"<td>{share:.1%}") for share in shares] == [1, 1]


@pytest.mark.parametrize("rows", [1, 40, 3000])
def test_bars_of_flagged_and_other_rows_are_on_one_scale(rows):
    counts = {"edges": [0.0, 0.5, 1.0], "flagged": [rows, 0], "kept": [0, rows], "cut": 0.4}
    heights = re.findall(r'<rect class="\w+".*?height="([\d.]+)"', quality_bars(counts))
    assert len(set(heights)) == 1


def test_few_rows_are_drawn_shorter_than_many():
    counts = {"edges": [0.0, 0.5, 1.0], "flagged": [1, 76], "kept": [0, 900], "cut": 0.9}
    kept, *flagged = sorted(map(float, re.findall(r'<rect.*?height="([\d.]+)"', quality_bars(counts))), reverse=True)
    assert kept > flagged[0] > 3 * flagged[1] > 0


@pytest.mark.parametrize(("share", "full"), [(0.0, 0.10), (0.029, 0.10), (0.31, 0.40), (1.0, 1.0)])
def test_a_full_bar_is_a_round_share(share, full):
    assert full_bar([share, None]) == full


def test_every_flagged_row_is_there_to_be_saved(make_frame):
    data = two_classes()
    data["note"] = [f"=1+{k}" for k in range(len(data["label"]))]
    found = dqlabels.audit(make_frame(data), "label", exclude=["note"])
    saved = found.report_facts(rows=1)["saved"]
    read = list(csv.DictReader(saved["text"].splitlines()))
    rows = [int(row["row"]) for row in read]
    listed = nw.from_native(found.issues, eager_only=True)["row"].to_list()
    assert (rows, saved["rows"]) == (listed, found.flagged)
    assert [row["note"] for row in read] == [f"'=1+{row}" for row in rows]
    assert [row["label"] for row in read] == [data["label"][row] for row in rows]


def test_what_is_saved_fits_into_a_page():
    other = np.where(np.arange(4000) % 5 == 0, 0.9, 0.1)  # every fifth label contradicts the model
    frame = pl.DataFrame({"a": 1 - other, "b": other, "text": ["words " * 400] * 4000})
    frame = frame.with_columns(y=pl.Series(["a", "b"] * 2000))
    frame = frame.with_columns(a=pl.when(pl.col("y") == "a").then(pl.col("a")).otherwise(pl.col("b")))
    frame = frame.with_columns(b=1 - pl.col("a"))
    found = dqlabels.audit(frame, "y", pred_probs=["a", "b"])
    saved = found.report_facts(rows=1)["saved"]
    assert len(saved["text"]) < 152_000
    assert 200 < saved["rows"] < found.flagged


def test_a_curve_reads_as_the_probabilities_add_up():
    curve = curve_of(np.array([0.1, 0.9, 0.8] + [0.0] * 30), 3)
    assert dict(zip(curve["rows"], curve["wrong"], strict=True)) == {3: 1.8, 10: 1.8, 20: 1.8, 33: 1.8}
    assert first_to_read(curve, 3) == 3


def test_rows_are_advised_while_every_second_is_wrong():
    curve = curve_of(np.repeat([0.9, 0.3, 0.0], [10, 40, 50]), 50)
    assert first_to_read(curve, 50) == 20
    assert reading_words(curve, 50).startswith("Read the worst 20 rows first: about 12 are wrong. 50 rows are flagged")


def shown_count(number: float) -> str:
    return f"{round(number):,}"


@pytest.mark.parametrize("shown", ["summary", "to_html", "_repr_html_"])
def test_how_many_flags_are_likely_wrong_is_said(audit, shown):
    expected = audit.expected_wrong
    wrong, low, high = map(shown_count, (expected.estimate, expected.low, expected.high))
    assert f"; about {wrong} ({low} to {high}) of them are likely wrong" in getattr(audit, shown)()


def test_the_gate_says_how_many_flags_are_likely_wrong(audit):
    wrong = shown_count(audit.expected_wrong.estimate)
    assert f"{audit.flagged} flagged; about {wrong} (" in audit.gate(max_noise_rate=0.5).message


@pytest.mark.parametrize("shown", ["summary", "to_html", "_repr_html_"])
def test_of_several_labels_it_is_said_too(shown):
    found = dqlabels.audit(pl.DataFrame(tagged(0.2)), "tags", **TAG_PROBS)
    expected = found.expected_wrong
    wrong, low, high = map(shown_count, (expected.estimate, expected.low, expected.high))
    said = f"{len(found.issues)} answers flagged; about {wrong} ({low} to {high}) of them are likely wrong."
    assert said in getattr(found, shown)()
    assert said in found.gate(max_noise_rate=0.5).message


def test_scores_of_another_library_promise_no_wrong_labels():
    found = dqlabels.audit(pl.DataFrame(tagged(0.2)), "tags", compat="cleanlab", **TAG_PROBS)
    assert "likely wrong" not in found.summary()


def test_the_page_tells_how_many_rows_to_read(audit):
    page = audit.to_html()
    for rows, wrong in audit.review_curve.select("rows", "wrong").rows():
        assert f'<tr><td class="n">{rows:,}</td><td class="n">{wrong:.1f}</td>' in page


def test_quality_is_called_what_it_is(audit):
    assert "Label quality is the probability that the label is right." in audit.to_html()
    theirs = dqlabels.audit(pl.DataFrame(two_classes()), "label", compat="cleanlab")
    assert "Label quality is normalized_margin as in cleanlab, from 0 (suspicious) to 1." in theirs.to_html()


def test_the_matrix_holds_every_row(audit):
    assert np.sum(audit.report_facts()["matrix"]["cells"]) == audit.audited


def test_rows_outside_the_drawn_classes_are_counted():
    found = many_classes(classes=100, rows=2000)
    drawn = found.report_facts()["matrix"]
    cells = np.array(drawn["cells"])
    assert len(cells) == 20
    assert cells.sum() - np.trace(cells) + drawn["left_out"] == found.flagged


def test_facts_are_plain_values(audit):
    assert json.loads(json.dumps(audit.report_facts(), allow_nan=False))["label"] == "label"


@pytest.mark.parametrize("rows", [0, 1001, 2.5, True])
def test_a_number_of_rows_out_of_bounds_is_refused(audit, rows):
    with pytest.raises(DQLabelsError, match="from 1 to 1000"):
        audit.to_html(rows=rows)


def test_a_report_that_fails_leaves_the_former_one(audit, tmp_path: Path, monkeypatch):
    from dqlabels.frames import atomic

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    target = tmp_path / "report.html"
    target.write_text("former")
    monkeypatch.setattr(atomic.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        audit.to_html(target)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("report.html", "former")]


def test_the_command_writes_a_report(tmp_path: Path):
    source, target = tmp_path / "t.csv", tmp_path / "report.html"
    pl.DataFrame(two_classes()).write_csv(source)
    arguments = ["audit", str(source), "-y", "label", "-q", "--html", str(target), "--max-noise-rate", "0.9"]
    assert run(*arguments).returncode == 0
    assert "The gate passed" in target.read_text(encoding="utf-8")

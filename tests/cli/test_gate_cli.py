"""``dqlabels gate`` and ``dqlabels profile``, run as a job runs them."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import polars as pl
import pytest
from support.command import process, run
from support.frames import two_classes
from support.real_tables import DIRTY, tumours

import dqlabels

# What junit-10.xsd of Jenkins' xUnit plugin allows: children and attributes of each element, then what it requires.
JUNIT_CHILDREN = {
    "testsuites": {"testsuite"},
    "testsuite": {"testsuite", "properties", "testcase", "system-out", "system-err"},
    "properties": {"property"},
    "testcase": {"skipped", "error", "failure", "system-out", "system-err"},
}
JUNIT_ATTRIBUTES = {
    "testsuites": {"name", "time", "tests", "failures", "errors"},
    "testsuite": {"name", "tests", "failures", "errors", "time", "skipped", "timestamp", "hostname", "id", "package",
                  "file", "log", "url", "group"},
    "testcase": {"name", "time", "classname", "group"},
    "property": {"name", "value"},
    "failure": {"type", "message"},
    "error": {"type", "message"},
    "skipped": {"type", "message"},
}  # fmt: skip
JUNIT_REQUIRED = {
    "testsuite": {"name", "tests", "failures", "errors"},
    "testcase": {"name"},
    "property": {"name", "value"},
}


PROBABILITIES = ["benign", "malignant"]
# The model that judged the tables was trained once, for all commands but those that train one themselves.
LABEL = ["--label", "diagnosis", "--pred-probs", ",".join(PROBABILITIES)]


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Paths of a table with right labels and of one with wrong ones, each with the probabilities of its classes."""
    folder = tmp_path_factory.mktemp("tables")
    for name, share in (("clean", 0.0), ("dirty", DIRTY)):
        frame = pl.DataFrame(tumours(share))
        probs = dqlabels.audit(frame, "diagnosis").probabilities.drop("row")
        frame.hstack(probs).write_parquet(folder / f"{name}.parquet")
    return {name: folder / f"{name}.parquet" for name in ("clean", "dirty")}


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "table.csv"
    pl.DataFrame(two_classes()).write_csv(path)
    return path


@cache
def audit_of(path: Path) -> Any:
    return dqlabels.audit(pl.read_parquet(path), "diagnosis", pred_probs=PROBABILITIES)


def gate_of(path: Path, **limits: Any) -> Any:
    return audit_of(path).gate(**limits)


@pytest.mark.parametrize(("name", "status"), [("clean", 0), ("dirty", 1)])
def test_the_verdict_is_the_exit_status_and_the_message_is_printed(tables, tmp_path, name, status):
    measured = pl.read_parquet(tables[name]).drop(PROBABILITIES)
    measured.write_parquet(path := tmp_path / "measured.parquet")
    done = run("gate", path, "--label", "diagnosis", "--max-noise-rate", "0.05")
    assert done.returncode == status, done.stderr
    assert dqlabels.audit(measured, "diagnosis").gate(max_noise_rate=0.05).message in done.stdout.decode()
    assert done.stderr == b""


LIMITS = {
    "class": ["--max-class-noise-rate", "0.1"],
    "one class": ["--max-class-noise-rate", "malignant=0.1", "--max-class-noise-rate", "benign=0.5"],
    "pair": ["--max-pair-share", "0.05"],
    "one pair": ["--max-pair-share", "benign,malignant=0.05"],
}


@pytest.mark.parametrize("limits", LIMITS.values(), ids=LIMITS)
@pytest.mark.parametrize(("name", "status"), [("clean", 0), ("dirty", 1)])
def test_limits_by_class_and_pair(tables, name, status, limits):
    done = run("gate", tables[name], *LABEL, *limits)
    assert done.returncode == status, done.stdout + done.stderr


def test_classes_that_are_numbers_are_found_by_how_they_are_written(tmp_path):
    path = tmp_path / "numbers.csv"
    frame = pl.DataFrame(two_classes()).with_columns(label=pl.col("label").replace_strict({"no": 0, "yes": 1}))
    frame.write_csv(path)
    done = run("gate", path, "--label", "label", "--max-class-noise-rate", "1=0.001", "--format", "json")
    assert [check["what"] for check in json.loads(done.stdout)["checks"]] == ["the noise rate of class 1"]


def test_a_profile_of_trusted_data_is_what_the_increase_is_held_against(tables, tmp_path):
    reference = tmp_path / "reference.json"
    assert run("profile", tables["clean"], *LABEL, "-o", reference).returncode == 0
    limits = [*LABEL, "--max-increase", "0.05", "--reference", reference]
    assert run("gate", tables["clean"], *limits).returncode == 0
    assert run("gate", tables["dirty"], *limits).returncode == 1


def test_a_profile_is_what_the_audit_gives(tables):
    done = run("profile", tables["clean"], *LABEL)
    assert json.loads(done.stdout) == audit_of(tables["clean"]).profile()


@pytest.mark.parametrize(("choice", "status"), [("warn", 0), ("pass", 0), ("fail", 1)])
def test_the_middle_answer(tables, choice, status):
    rate = audit_of(tables["clean"]).noise_rate
    limit = (rate.low + rate.high) / 2
    done = run("gate", tables["clean"], *LABEL, "--max-noise-rate", limit, "--decide", "confident",
               "--on-inconclusive", choice)  # fmt: skip
    assert done.returncode == status
    assert done.stdout.startswith(b"INCONCLUSIVE")


def test_json_holds_the_gate(tables):
    done = run("gate", tables["dirty"], *LABEL, "--max-noise-rate", "0.05", "--format", "json")
    facts = json.loads(done.stdout)
    expected = gate_of(tables["dirty"], max_noise_rate=0.05).to_dict()
    assert {key: facts[key] for key in expected} == expected
    assert done.stderr.startswith(b"FAIL")  # for the person who reads the log


LIMIT = ["gate", "-", "-y", "label", "--max-noise-rate"]


@pytest.mark.parametrize(("limit", "status"), [("0.9", 0), ("0.001", 1), ("5", 2)])
def test_standard_input_is_read_and_the_status_says_the_verdict(table, limit, status):
    done = run(*LIMIT, limit, stdin=table.read_bytes())
    assert done.returncode == status, done.stderr


def test_a_process_of_its_own_reads_standard_input_and_ends_with_the_status(table):
    done = process(*LIMIT, "0.001", stdin=table.read_bytes())
    assert done.returncode == 1, done.stderr


MISTAKES = [
    (["--label", "label"], "has no limit"),
    (["--label", "label", "--max-noise-rate", "5"], "for 5% pass 0.05"),
    (["--label", "lable", "--max-noise-rate", "0.1"], "Did you mean 'label'?"),
    (["--label", "label", "--max-class-noise-rate", "maybe=0.1"], "'maybe' is no class of 'label'"),
    (["--label", "label", "--max-class-noise-rate", "much"], "a limit is a number"),
    (["--label", "label", "--max-class-noise-rate", "0.1", "--max-class-noise-rate", "no=0.2"], "one limit for all"),
    (["--label", "label", "--max-pair-share", "no=0.1"], "a pair is GIVEN,SUGGESTED"),
    (["--label", "label", "--max-increase", "0.1"], "reference= is needed here"),
    (["--label", "label", "--max-increase", "0.1", "--reference", "nowhere.json"], "nowhere.json"),
    (["--label", "label", "--max-noise-rate", "0.1", "--format", "html"], "text, json, github, junit"),
    (["--label", "label", "--max-noise-rate", "0.1", "-o", "nowhere/gate.json"], "does not exist"),
]


@pytest.mark.parametrize(("arguments", "words"), MISTAKES, ids=lambda value: str(value)[:40])
def test_a_mistake_is_one_message_and_status_2(table, arguments, words):
    done = run("gate", table, *arguments)
    assert done.returncode == 2
    assert words in done.stderr.decode()
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("form", ["text", "json", "github", "junit"])
def test_a_former_answer_is_not_left_where_the_gate_could_not_run(table, tmp_path, form):
    answer = tmp_path / "answer"
    answer.write_text("PASS", encoding="utf-8")
    done = run("gate", table, "--label", "lable", "--max-noise-rate", "0.1", "--format", form, "-o", answer)
    text = answer.read_text(encoding="utf-8")
    assert done.returncode == 2
    assert "PASS" not in text
    assert "There is no column 'lable'" in text.replace("&quot;", "'")


# GitHub


def annotations(text: str) -> list[tuple[str, dict[str, str], str]]:
    """Read workflow commands as the runner does."""

    def data(value: str) -> str:
        return value.replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%")

    found = []
    for line in text.split("\n")[:-1]:
        command = re.fullmatch(r"::(\w+) (.*?)::(.*)", line)
        assert command is not None, line
        pairs = (part.split("=", 1) for part in command[2].split(","))
        properties = {name: data(value.replace("%3A", ":").replace("%2C", ",")) for name, value in pairs}
        found.append((command[1], properties, data(command[3])))
    return found


def test_github_gets_an_annotation_for_each_limit_not_kept(tables):
    done = run("gate", tables["dirty"], *LABEL, "--max-noise-rate", "0.05", "--max-class-noise-rate",
               "malignant=0.05", "--max-pair-share", "0.9", "--format", "github")  # fmt: skip
    first, second = annotations(done.stdout.decode())
    assert (first[0], first[1]["file"], first[1]["title"]) == (
        "error",
        str(tables["dirty"]),
        "Labels of 'diagnosis': fail",
    )
    gate = gate_of(tables["dirty"], max_noise_rate=0.05, max_class_noise_rate={"malignant": 0.05},
                   max_pair_share=0.9)  # fmt: skip
    assert first[2] == gate.message
    assert second[2] == str(gate.checks[1])
    assert done.stderr == b""


def test_github_gets_a_notice_of_a_pass(tables):
    done = run("gate", tables["clean"], *LABEL, "--max-noise-rate", "0.05", "--format", "github")
    ((kind, _, message),) = annotations(done.stdout.decode())
    assert kind == "notice"
    assert message.startswith("PASS")


HOSTILE = "a,b:\n::error::%0A<&>\"']]>\x07"


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    frame = pl.DataFrame(two_classes())
    frame = frame.with_columns(label=pl.col("label").replace("no", HOSTILE)).rename({"label": HOSTILE})
    path = tmp_path / "a,b:c%.parquet"
    frame.write_parquet(path)
    return path


def test_what_comes_from_data_cannot_be_a_command_of_its_own(hostile):
    done = run("gate", hostile, "--label", HOSTILE, "--max-noise-rate", "0.001", "--max-class-noise-rate", "0.001",
               "--format", "github")  # fmt: skip
    found = annotations(done.stdout.decode())
    assert {kind for kind, _, _ in found} == {"error"}
    assert {properties["file"] for _, properties, _ in found} == {str(hostile)}


@pytest.mark.parametrize("form", ["text", "json", "junit"])
def test_no_line_for_people_begins_with_a_command_either(hostile, form):
    done = run("gate", hostile, "--label", HOSTILE, "--max-noise-rate", "0.001", "--format", form)
    assert done.returncode == 1
    assert not re.search(rb"^\s*::", done.stdout + b"\n" + done.stderr, flags=re.M)
    assert b"\x07" not in done.stdout + done.stderr


# JUnit


def checked(text: bytes) -> ElementTree.Element:
    """The root of a JUnit document, held against the schema's rules."""
    root = ElementTree.fromstring(text)  # noqa: S314 - our own output
    assert root.tag == "testsuites"
    for element in root.iter():
        assert {child.tag for child in element} <= JUNIT_CHILDREN.get(element.tag, set())
        assert set(element.attrib) <= JUNIT_ATTRIBUTES.get(element.tag, set())
        assert JUNIT_REQUIRED.get(element.tag, set()) <= set(element.attrib)
    for element in [root, *root.iter("testsuite")]:
        cases = list(element.iter("testcase"))
        assert int(element.attrib["tests"]) == len(cases)
        for count, tag in (("failures", "failure"), ("errors", "error")):
            assert int(element.attrib[count]) == sum(case.find(tag) is not None for case in cases)
    return root


def test_junit_has_a_case_a_limit(tables):
    done = run("gate", tables["dirty"], *LABEL, "--max-noise-rate", "0.05", "--max-class-noise-rate",
               "benign=0.9", "--format", "junit")  # fmt: skip
    failed, passed = checked(done.stdout).iter("testcase")
    message = gate_of(tables["dirty"], max_noise_rate=0.05, max_class_noise_rate={"benign": 0.9}).message
    assert failed.findtext("failure") == message
    assert (passed.attrib["name"], len(passed)) == ("the noise rate of class 'benign' is at most 90.0%", 0)


@pytest.mark.parametrize(("choice", "tag"), [("warn", "skipped"), ("fail", "failure")])
def test_junit_shows_the_middle_answer_as_skipped_unless_it_fails(tables, choice, tag):
    rate = audit_of(tables["clean"]).noise_rate
    limit = (rate.low + rate.high) / 2
    done = run("gate", tables["clean"], *LABEL, "--max-noise-rate", limit, "--decide", "confident",
               "--on-inconclusive", choice, "--format", "junit")  # fmt: skip
    (case,) = checked(done.stdout).iter("testcase")
    assert [child.tag for child in case] == [tag]


def test_junit_counts_a_gate_that_could_not_run_as_an_error(table, tmp_path):
    report = tmp_path / "report.xml"
    assert (
        run("gate", table, "-y", "lable", "--max-noise-rate", "0.1", "--format", "junit", "-o", report).returncode == 2
    )
    (case,) = checked(report.read_bytes()).iter("testcase")
    assert "Did you mean 'label'?" in str(case.findtext("error"))


def test_junit_holds_whatever_a_label_is(hostile):
    done = run("gate", hostile, "--label", HOSTILE, "--max-noise-rate", "0.001", "--format", "junit")
    (suite,) = checked(done.stdout).iter("testsuite")
    assert "::error::%0A<&>" in suite.attrib["name"]


def test_the_same_answer_is_the_same_report(tables):
    arguments = ("gate", tables["dirty"], *LABEL, "--max-noise-rate", "0.05", "--format", "junit")
    assert run(*arguments).stdout == run(*arguments).stdout

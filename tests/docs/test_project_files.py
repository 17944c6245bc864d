"""What the files beside the package claim: versions that agree, commands and links that lead somewhere."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import polars as pl
import pytest
import yaml

import dqlabels

tomllib = pytest.importorskip("tomllib", reason="from Python 3.11 on")

ROOT = Path(__file__).parents[2]
CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_the_citation_is_of_this_version():
    assert CITATION["version"] == dqlabels.__version__


def test_the_changelog_begins_with_this_version():
    first = re.findall(r"^## (.*)$", (ROOT / "docs/changelog.md").read_text(encoding="utf-8"), flags=re.M)[0]
    assert first.startswith(f"{dqlabels.__version__} (")


def test_the_citation_is_released_when_the_changelog_says_so():
    dated = re.findall(r"^## \S+ \((\d{4}-\d\d-\d\d)\)$", (ROOT / "docs/changelog.md").read_text("utf-8"), flags=re.M)
    assert [str(CITATION[key]) for key in ("date-released",) if key in CITATION] == dated[:1]


def test_the_citation_has_the_licence_of_the_package():
    assert CITATION["license"] == PROJECT["license"]


@pytest.mark.parametrize("name", ["CONTRIBUTING.md", "SECURITY.md"])
def test_a_link_leads_to_a_heading_or_a_file(name: str):
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", (ROOT / name).read_text(encoding="utf-8")):
        path, _, anchor = target.partition("#")
        text = (ROOT / path).read_text(encoding="utf-8")
        headings = [
            re.sub(r"[^\w -]", "", line.lower()).replace(" ", "-") for line in re.findall(r"^#+ (.*)$", text, re.M)
        ]
        assert not anchor or anchor in headings, target


def test_the_paths_that_contributors_are_told_are_there():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```console\n(.*?)```", text, flags=re.S)
    words = [word for block in blocks for line in block.splitlines() for word in shlex.split(line, comments=True)]
    paths = [word for word in words if "/" in word and not word.startswith(".venv")]
    paths += re.findall(r"`([\w.]+/[\w./-]*)`", text)
    assert [path for path in paths if not (ROOT / path).exists()] == []
    assert len(paths) > 4


def test_the_classifiers_begin_with_the_oldest_python_that_installs():
    versions = re.findall(r"Python :: (3\.\d+)", "\n".join(PROJECT["classifiers"]))
    assert PROJECT["requires-python"] == f">={versions[0]}"
    assert versions == sorted(versions, key=lambda version: int(version[2:]))


def test_the_readme_counts_the_flags_of_its_example():
    audit = dqlabels.audit(pl.read_csv(ROOT / "examples/data/german_credit.csv"), "risk")
    wrong, text = audit.expected_wrong, " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    assert f"about {wrong.estimate:.0f} of {audit.flagged} ({wrong.low:.0f} to {wrong.high:.0f})" in text

"""The crawl of the built site sees a link that leads nowhere, and a page that nothing leads to."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from support.frames import ROOT


@pytest.fixture
def crawl():
    spec = importlib.util.spec_from_file_location("crawl", ROOT / "tests/docs/crawl.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write(folder: Path, **pages: str) -> None:
    for name, text in pages.items():
        (folder / f"{name}.html").write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    ("link", "broken"),
    [
        ("other.html", 0),
        ("other.html#there", 0),
        ("#here", 0),
        ("https://example.org/gone", 0),
        ("gone.html", 1),
        ("other.html#gone", 1),
        ("#gone", 1),
    ],
)
def test_a_link_that_leads_nowhere_is_named(crawl, tmp_path, link, broken):
    write(tmp_path, index=f'<h1 id="here"><a href="{link}">x</a></h1>', other='<h1 id="there">y</h1>')
    assert len(crawl.broken_links(crawl.read_site(tmp_path))) == broken


def test_a_page_that_no_link_leads_to_is_named(crawl, tmp_path):
    write(tmp_path, index='<a href="other.html">x</a>', other="y", lonely='<a href="index.html">z</a>')
    assert crawl.unreachable(crawl.read_site(tmp_path), tmp_path / "index.html") == ["lonely.html: no link leads here"]

"""The report in a real browser: nothing of the data runs, and everything works by keyboard."""

from __future__ import annotations

import csv
from pathlib import Path

import polars as pl
import pytest
from support.amounts import prices
from support.browser import chromium, violations
from support.frames import two_classes
from support.other_labels import TAG_PROBS, rated_long, tagged
from support.reports import HOSTILE, many_classes

import dqlabels

PAGES = ["plain", "hostile", "many", "empty", "values", "hostile values", "tags", "annotators"]


def hostile_prices() -> pl.DataFrame:
    """Markup wherever an audit of numbers shows what came from data."""
    data = prices()
    texts = [f'"><svg onload="window.hacked=4">{{{{7*7}}}} שלום {k % 3}' for k in range(200)]
    return pl.DataFrame({HOSTILE: data["price"], f"{HOSTILE} x": data["x"], "<script>window.hacked=5</script>": texts})


def hostile_tags() -> dict[str, list]:
    """Markup in the tags and their columns."""
    data = dict(tagged(0.2))
    data[HOSTILE] = data.pop("tags")
    return {**data, "<b>": [f"{HOSTILE} {row}" for row in range(len(data[HOSTILE]))]}


def hostile_votes() -> pl.DataFrame:
    """Markup in the names of annotators and classes."""
    data = rated_long(0.2)
    labels = [HOSTILE if label == "good" else "<script>window.hacked=6</script>" for label in data["said"]]
    return pl.DataFrame({"item": data["item"], "<i>who": [f"<b>{who}" for who in data["who"]], HOSTILE: labels})


@pytest.fixture(scope="module")
def browser():
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    plain = dqlabels.audit(pl.DataFrame(two_classes(400)), "label")
    data = two_classes(400)
    data[HOSTILE] = data.pop("x")
    data["<b>"] = [f'"><svg onload="window.hacked=2"> שלום {k % 3}' for k in range(400)]
    data["label"] = [HOSTILE if value == "no" else "<script>window.hacked=3</script>" for value in data["label"]]
    made = {
        "plain": plain,
        "hostile": dqlabels.audit(pl.DataFrame(data), "label"),
        "many": many_classes(),
        "values": dqlabels.audit(pl.DataFrame(prices()), "price", task="regression"),
        "hostile values": dqlabels.audit(hostile_prices(), HOSTILE, task="regression"),
        "tags": dqlabels.audit(pl.DataFrame(hostile_tags()), HOSTILE, **TAG_PROBS),
        "annotators": dqlabels.audit(hostile_votes(), HOSTILE, annotator="<i>who", item="item"),
        "empty": dqlabels.audit(pl.DataFrame({"x": range(60), "y": ["a"] * 30 + ["b"] * 30}), "y", features=["x"]),
    }
    for name, audit in made.items():
        audit.to_html(folder / f"{name}.html")
    return folder


@pytest.fixture
def opened(browser, pages):
    contexts = []

    def open_page(name: str, **options):
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(8_000)
        page.said, page.asked = [], []
        page.on("console", lambda message: page.said.append(message.text))
        page.on("pageerror", lambda error: page.said.append(str(error)))
        page.on("request", lambda request: page.asked.append(request.url))
        page.goto((pages / f"{name}.html").as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()


def shown(page) -> int:
    return page.locator("#rows > tbody:visible").count()


@pytest.mark.parametrize("name", PAGES)
def test_nothing_fails_and_nothing_is_asked_of_the_network(opened, name):
    page = opened(name)
    assert page.said == []
    assert page.asked == [page.url]


@pytest.mark.parametrize("name", ["hostile", "hostile values", "tags", "annotators"])
def test_nothing_of_the_data_runs(opened, name):
    page = opened(name)
    for summary in page.locator("#rows summary").all()[:5]:
        summary.click()
    for cell in page.locator("button[data-given]").all()[:1]:
        cell.click()
    assert page.evaluate("window.hacked") is None
    assert page.locator("img, main script, iframe, svg svg").count() == 0
    assert HOSTILE in page.locator("body").inner_text()


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("width", [390, 1200])
def test_a_page_is_as_wide_as_the_screen(opened, name, width):
    page = opened(name, viewport={"width": width, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_page_of_numbers_says_what_was_expected_of_a_row(opened):
    page = opened("values")
    assert shown(page) == 3
    page.locator("#rows summary").first.press("Enter")
    assert "of right values of such a row are expected from" in page.locator(".detail").first.inner_text()
    assert page.locator("#cloud svg path.flagged").count() > 0
    page.fill("#search", "77")
    assert shown(page) >= 1


def test_a_cell_filters_the_rows_by_keyboard(opened):
    page = opened("plain")
    cell = page.locator("#classes button").first
    rows = int(cell.inner_text())
    every = shown(page)
    cell.focus()
    page.keyboard.press("Enter")
    assert (shown(page), cell.get_attribute("aria-pressed")) == (rows, "true")
    page.keyboard.press("Enter")
    assert shown(page) == every


def test_every_cell_drawn_has_rows_to_show(opened):
    page = opened("many")
    for cell in page.locator("table.heat button").all()[:5]:
        cell.click()
        assert shown(page) > 0


def test_search_leaves_the_rows_that_hold_the_text(opened):
    page = opened("plain")
    row = page.locator("#rows > tbody").nth(2).locator("td").first.inner_text()
    page.fill("#search", row)
    assert 0 < shown(page) < page.locator("#rows > tbody").count()
    page.click("#clear")
    assert shown(page) == page.locator("#rows > tbody").count()


def test_a_heading_sorts_by_number(opened):
    page = opened("plain")
    read = "() => [...document.querySelectorAll('#rows > tbody')].map(t => +t.rows[0].cells[0].dataset.sort)"
    heading = page.locator("#rows > thead button").first
    heading.click()
    rows = page.evaluate(read)
    assert rows == sorted(rows)
    heading.click()
    assert page.evaluate(read) == sorted(rows, reverse=True)


def test_a_row_opens_and_closes_by_keyboard(opened):
    page = opened("plain")
    row = page.locator("#rows details").first
    summary = row.locator("summary")
    assert not row.locator("dl").is_visible()
    summary.press("Enter")
    assert "The model gives" in row.inner_text()
    summary.press("Enter")
    assert not row.locator("dl").is_visible()


def test_only_the_first_rows_are_shown_until_all_are_wanted(opened):
    page = opened("many")
    listed = page.locator("#rows > tbody").count()
    assert (shown(page), listed > 20) == (20, True)
    page.locator("#clear").press("Enter")
    assert shown(page) == listed
    assert not page.locator("#clear").is_visible()


@pytest.mark.parametrize("name", ["plain", "hostile", "tags", "annotators", "values"])
def test_the_flagged_rows_are_saved_without_the_network(opened, name):
    page = opened(name)
    with page.expect_download() as download:
        page.locator("#save").press("Enter")
    text = Path(download.value.path()).read_bytes().decode("utf-8-sig")
    rows = list(csv.DictReader(text.splitlines()))
    assert sorted(int(row["row"]) for row in rows) == sorted(int(row) for row in all_rows(page))
    assert download.value.suggested_filename.endswith("_flagged.csv")
    assert page.asked == [page.url]


def all_rows(page) -> list[str]:
    cells = "document.querySelectorAll('#rows > tbody > tr > [data-sort]:first-child')"
    return page.evaluate(f"[...{cells}].map(cell => cell.dataset.sort)")


def test_without_script_everything_is_there(opened):
    page = opened("plain", java_script_enabled=False)
    assert shown(page) == page.locator("#rows > tbody").count()
    row = page.locator("#rows details").first
    row.locator("summary").click()
    assert row.locator("dl").is_visible()
    assert not page.locator("#search").is_visible()
    assert not page.locator("#save").is_visible()


def test_dark_and_light_differ(opened):
    colours = {
        scheme: opened("plain", color_scheme=scheme).evaluate("getComputedStyle(document.body).backgroundColor")
        for scheme in ("light", "dark")
    }
    assert colours["light"] == "rgb(255, 255, 255)"
    assert colours["dark"] != colours["light"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing(opened, name, scheme):
    page = opened(name, color_scheme=scheme)
    if name != "empty":
        page.locator("#rows summary").first.click()
        page.locator("#todo summary").last.click()
    assert violations(page, colors_only=scheme == "dark") == []

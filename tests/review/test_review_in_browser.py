"""The review page in a real browser, by keyboard."""

from __future__ import annotations

import re

import polars as pl
import pytest
from support.browser import chromium, violations
from support.frames import two_classes
from support.reports import HOSTILE, many_classes

import dqlabels


@pytest.fixture(scope="module")
def browser():
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def audits():
    data = two_classes(400)
    data[HOSTILE] = data.pop("x")
    data["<b>"] = [f'"><svg onload="window.hacked=2"> שלום {"long " * 300}{k % 3}' for k in range(400)]
    data["label"] = [HOSTILE if value == "no" else "<script>window.hacked=3</script>" for value in data["label"]]
    return {
        "plain": dqlabels.audit(pl.DataFrame(two_classes(400)), "label"),
        "hostile": dqlabels.audit(pl.DataFrame(data), "label"),
        "many": many_classes(),
        "empty": dqlabels.audit(pl.DataFrame({"x": range(60), "y": ["a"] * 30 + ["b"] * 30}), "y", features=["x"]),
    }


@pytest.fixture
def review(browser, audits, tmp_path):
    """Open windows on a review of one of the audits; each is a browser of its own."""
    sessions, contexts = {}, []

    def open_window(name: str, sample: int | None = None, limit: float | None = None, **options):
        if name not in sessions:
            review = audits[name].review
            sessions[name] = review(tmp_path / name, sample=sample, max_noise_rate=limit, open_browser=False)
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(8_000)
        page.said, page.session = [], sessions[name]
        page.on("console", lambda message: page.said.append(message.text))
        page.on("pageerror", lambda error: page.said.append(str(error)))
        page.goto(sessions[name].url)
        page.locator("#title:not(:empty)").wait_for()
        return page

    yield open_window
    for context in contexts:
        context.close()
    for session in sessions.values():
        session.stop()


def wait_decided(page, number: int) -> None:
    page.locator("#progress").filter(has_text=re.compile(rf"^{number} of")).wait_for()


def verdicts(page) -> list[str]:
    page.session.decisions.refresh()
    made = page.session.decisions.standing
    rows = page.session.queue.evidence.positions[page.session.queue.order].tolist()
    return [made[row].verdict for row in rows if row in made]


def test_the_file_that_a_browser_is_passed_leads_to_the_page(browser, audits, tmp_path, monkeypatch):
    passed = []
    monkeypatch.setattr("webbrowser.open", passed.append)
    with audits["plain"].review(tmp_path / "d", open_browser=True) as session:
        context = browser.new_context()
        page = context.new_page()
        page.goto(passed[0])
        page.locator("#title:not(:empty)").wait_for()
        assert page.url == f"http://127.0.0.1:{session.port}/"
        context.close()


def test_keys_decide_one_row_after_the_other(review):
    page = review("plain")
    for key in "aku1":
        page.keyboard.press(key)
    wait_decided(page, 4)
    assert verdicts(page)[:3] == ["accept", "keep", "unclear"]
    assert page.said == []


def test_keys_pressed_faster_than_saved_are_not_lost(review):
    page = review("plain")
    press = "document.body.dispatchEvent(new KeyboardEvent('keydown', {key: 'k', bubbles: true}))"
    page.evaluate(f"for (let k = 0; k < 12; k++) {press}")
    wait_decided(page, 12)
    assert verdicts(page) == ["keep"] * 12


def test_undo_takes_the_last_back_and_shows_its_row(review):
    page = review("plain")
    first = page.locator("#title").inner_text()
    page.keyboard.press("a")
    wait_decided(page, 1)
    page.keyboard.press("z")
    wait_decided(page, 0)
    assert (verdicts(page), page.locator("#title").inner_text()) == ([], first)


def test_another_label_is_found_by_typing(review):
    page = review("many")
    page.keyboard.press("c")
    page.keyboard.type("73")
    page.keyboard.press("ArrowDown")
    wanted = page.locator("#list [aria-selected=true]").inner_text()
    page.keyboard.press("Enter")
    wait_decided(page, 1)
    (made,) = page.session.decisions.standing.values()
    assert (made.label, "73" in made.label) == (wanted, True)


def test_the_table_takes_the_same_keys(review):
    page = review("plain")
    page.keyboard.press("t")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("k")
    wait_decided(page, 1)
    rows = page.locator("#body tr")
    assert ["Saved: kept" in rows.nth(at).inner_text() for at in range(3)] == [False, True, False]


def test_another_windows_decision_is_shown_and_kept(review):
    one, two = review("plain"), review("plain")
    two.route("**/api/state*", lambda route: route.abort())  # it does not hear of the other
    one.keyboard.press("a")
    wait_decided(one, 1)
    two.keyboard.press("k")
    two.wait_for_selector("#trouble:not([hidden])")
    assert "Another window answered" in two.locator("#trouble").inner_text()
    assert "accepted" in two.locator("#standing").inner_text()
    assert verdicts(one) == ["accept"]


def test_a_server_that_is_gone_is_told(review):
    page = review("plain")
    page.session.stop()
    page.keyboard.press("a")
    page.wait_for_selector("#trouble:not([hidden])")
    assert "Not saved. The program is not reachable" in page.locator("#trouble").inner_text()


def test_nothing_of_the_data_runs(review):
    page = review("hostile")
    for key in "akct":
        page.keyboard.press(key)
    wait_decided(page, 2)
    assert page.evaluate("window.hacked") is None
    assert (page.said, page.locator("img, svg, main script").count()) == ([], 0)
    assert "onerror" in page.locator("body").inner_text()


def test_a_sample_shows_a_running_rate(review):
    page = review("plain", sample=30)
    page.locator("#answers button").first.wait_for()
    assert "Accept" not in page.locator("#answers").inner_text()
    for _ in range(30):
        page.keyboard.press("k")
    wait_decided(page, 30)
    assert "Noise rate 0.0% (90% interval" in page.locator("#rate").inner_text()
    assert "All rows are decided" in page.locator("#progress").inner_text()


def test_a_sample_says_when_enough_rows_are_read(review):
    page = review("plain", sample=120, limit=0.3)
    page.locator("#answers button").first.wait_for()
    for _ in range(10):
        page.keyboard.press("k")
    wait_decided(page, 10)
    assert "Noise rate so far 0.0% (90% interval 0.0% to" in page.locator("#rate").inner_text()
    assert page.locator("#conclusion").inner_text().startswith("Not enough rows read")
    for _ in range(60):
        page.keyboard.press("k")
    wait_decided(page, 70)
    assert page.locator("#conclusion").inner_text() == "Enough rows read to say: below the limit of 30.0%."


def test_nothing_is_concluded_without_a_limit(review):
    page = review("plain", sample=30)
    page.keyboard.press("k")
    wait_decided(page, 1)
    assert not page.locator("#conclusion").is_visible()


@pytest.mark.parametrize("width", [390, 1200])
@pytest.mark.parametrize("name", ["plain", "hostile", "many", "empty"])
def test_a_page_is_as_wide_as_the_screen(review, name, width):
    page = review(name, viewport={"width": width, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["plain", "hostile", "many", "empty"])
def test_axe_finds_nothing(review, name, scheme):
    page = review(name, color_scheme=scheme)
    found = violations(page)
    if name != "empty":
        page.keyboard.press("c")
        page.wait_for_selector("#list li")
        found += violations(page)
        page.keyboard.press("Escape")
        page.keyboard.press("t")
        page.wait_for_selector("#body tr")
        found += violations(page)
    assert found == []

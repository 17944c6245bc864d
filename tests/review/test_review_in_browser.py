"""The review page in a real browser, by keyboard."""

from __future__ import annotations

import re

import polars as pl
import pytest
from support.browser import chromium, violations
from support.frames import two_classes
from support.other_labels import prices
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
        "numbers": dqlabels.audit(pl.DataFrame(prices(0.05)), "price", task="regression"),
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


def test_a_number_is_accepted_or_typed(review):
    page = review("numbers")
    page.keyboard.press("a")
    wait_decided(page, 1)
    page.keyboard.press("c")
    page.keyboard.type("101.50")
    page.keyboard.press("Enter")
    wait_decided(page, 2)
    made = [one.label for _, one in sorted(page.session.decisions.standing.items(), key=lambda item: item[1].id)]
    assert (verdicts(page)[:2], made[1]) == (["accept", "choose"], "101.5")
    assert page.said == []


def test_what_is_no_number_is_not_saved(review):
    page = review("numbers")
    page.keyboard.press("c")
    page.keyboard.type("a lot")
    page.keyboard.press("Enter")
    page.locator("#trouble").filter(has_text="is not a number such as 12.5").wait_for()
    assert verdicts(page) == []


def test_the_table_takes_the_same_keys(review):
    page = review("plain")
    page.keyboard.press("t")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("k")
    wait_decided(page, 1)
    rows = page.locator("#body tr")
    assert ["Saved: kept" in rows.nth(at).inner_text() for at in range(3)] == [False, True, False]


def shown_rows(page) -> int:
    return int(page.locator("#title").inner_text().split(" of ")[1].split(")")[0])


def wait_found(page, text: str) -> None:
    page.locator("#found").filter(has_text=re.compile(text)).wait_for()


def test_rows_are_chosen_by_class_and_all_are_shown_again(review):
    page = review("plain")
    every = len(page.session.queue)
    page.select_option("#given", label="yes")
    wait_found(page, rf"^\d+ of {every} rows$")
    assert shown_rows(page) == sum(pair["rows"] for pair in page.session.queue.queued.pairs if pair["given"] == 1)
    assert "yes → no" in page.locator("#title").inner_text()
    page.click("#everything")
    page.locator("#found:empty").wait_for(state="attached")
    assert shown_rows(page) == every


def test_text_is_searched_by_keyboard_and_keys_decide_again(review):
    page = review("hostile")
    page.keyboard.press("f")
    page.keyboard.type("long 1")
    wait_found(page, "rows$")
    page.keyboard.press("Enter")
    page.keyboard.press("k")
    wait_decided(page, 1)
    (row,) = page.session.decisions.standing
    assert row % 3 == 1


def test_rows_are_sorted(review):
    page = review("plain")
    page.select_option("#order", "row")
    first = min(page.session.queue.rows)
    page.locator("#title").filter(has_text=f"Row {first} (1 of").wait_for()


def test_several_rows_are_decided_at_once_and_taken_back_at_once(review):
    page = review("plain")
    page.keyboard.press("k")
    wait_decided(page, 1)
    page.keyboard.press("t")
    page.keyboard.press("s")
    every = len(page.session.queue)
    page.locator("#chosen").filter(has_text=f"{every - 1} chosen").wait_for()
    page.keyboard.press("a")
    wait_decided(page, every)
    assert sorted(verdicts(page)) == ["accept"] * (every - 1) + ["keep"]
    page.keyboard.press("z")
    wait_decided(page, 1)
    assert verdicts(page) == ["keep"]


def test_rows_are_chosen_one_by_one_by_keyboard(review):
    page = review("plain")
    for key in ("t", "x", "ArrowDown", "ArrowDown", "x", "u"):
        page.keyboard.press(key)
    wait_decided(page, 2)
    rows = page.locator("#body tr")
    assert ["Saved: unclear" in rows.nth(at).inner_text() for at in range(3)] == [True, False, True]


def test_rows_like_one_are_of_its_pair(review):
    page = review("plain")
    page.keyboard.press("l")
    page.wait_for_selector("#body tr")
    pairs = {tuple(row.locator("td").nth(at).inner_text() for at in (3, 4)) for row in page.locator("#body tr").all()}
    assert len(pairs) == 1


def test_a_note_goes_with_the_decision_and_can_be_added_to_it(review):
    page = review("plain")
    for key in ("n", *"a note", "Enter", "k"):
        page.keyboard.press(key)
    wait_decided(page, 1)
    assert page.locator("#note").input_value() == ""  # of the next row
    page.keyboard.press("ArrowLeft")
    page.locator("#standing").filter(has_text="a note").wait_for()
    for key in ("n", *" more", "Enter"):
        page.keyboard.press(key)
    page.locator("#standing").filter(has_text="a note more").wait_for()
    (made,) = page.session.decisions.standing.values()
    assert (made.verdict, made.note) == ("keep", "a note more")


def test_the_classes_shown_are_not_among_the_others(review):
    page = review("many")
    title = page.locator("#title").inner_text()
    given, suggested = title.split(": ")[1].split(" → ")
    page.keyboard.press("c")
    for name in (given, suggested):
        page.fill("#wanted", name)
        assert name not in page.locator("#list li").all_inner_texts()


def test_two_classes_leave_no_other_to_choose(review):
    page = review("plain")
    assert "Choose another" not in page.locator("#answers").inner_text()
    page.keyboard.press("c")
    page.keyboard.press("k")
    wait_decided(page, 1)


def test_the_yield_is_said(review):
    page = review("plain")
    assert "rows still open about" in page.locator("#expected").inner_text()
    page.keyboard.press("a")
    wait_decided(page, 1)
    assert page.locator("#expected").inner_text().startswith("1 of 1 labels read were wrong; ")


def test_an_image_and_a_long_text_are_shown(browser, tmp_path):
    data = two_classes()
    pixel = bytes.fromhex("47494638396101000100800000ffffff00000021f90400000000002c00000000010001000002024401003b")
    frame = pl.DataFrame({**data, "photo": [pixel] * 120, "remark": ["First.\n\nSecond. " + "more " * 200] * 120})
    found = dqlabels.audit(frame, "label", exclude=["photo", "remark"])
    with found.review(tmp_path / "d", open_browser=False) as session:
        context = browser.new_context()
        page = context.new_page()
        page.goto(session.url)
        page.locator("#values img").wait_for()
        # No waiting for an expression: the page's own policy forbids to evaluate text, in all but the first try.
        page.locator("#values img").evaluate("image => image.decode()")
        assert page.locator("#values img").evaluate("image => image.naturalWidth") == 1
        assert page.locator("#values img").get_attribute("alt").startswith("photo of row")
        assert "First.\n\nSecond." in page.locator("#values").inner_text()
        context.close()


def test_a_sample_is_not_filtered(review):
    page = review("plain", sample=30)
    page.locator("#answers button").first.wait_for()
    assert not page.locator("#filters").is_visible()


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
    page.keyboard.press("s")
    page.wait_for_selector("#together select")
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
    dark = scheme == "dark"
    found = violations(page, colors_only=dark)
    if name == "many":  # of up to nine classes each has a button
        page.keyboard.press("c")
        page.wait_for_selector("#list li")
        found += violations(page, colors_only=dark)
        page.keyboard.press("Escape")
    if name != "empty":
        page.keyboard.press("t")
        page.wait_for_selector("#body tr")
        page.keyboard.press("s")
        page.wait_for_selector("#together select")
        found += violations(page, colors_only=dark)
    assert found == []

"""Which rows of a review are shown: by class, by value, by text, and in which order."""

from __future__ import annotations

import json
from urllib.parse import urlencode

import polars as pl
import pytest
from support.frames import two_classes
from support.review import Client, queue_of

import dqlabels
from dqlabels.review.cells import cell_of, image_type
from dqlabels.review.selection import Selection

SITES = ["north", "south", "east"]


@pytest.fixture(scope="module")
def audit():
    data = two_classes(400)
    data["site"] = [SITES[row % 3] for row in range(400)]
    data["remark"] = [f"Remark {row}: ÄRGER" if row % 7 == 0 else f"Remark {row}" for row in range(400)]
    return dqlabels.audit(pl.DataFrame(data), "label", exclude=["site", "remark"])


@pytest.fixture(scope="module")
def queue(audit):
    return audit._review_queue(None, None)[0]


def rows_of(queue, **wanted) -> list[int]:
    return [queue.rows[place] for place in queue.queued.places(Selection(**wanted))]


def test_everything_is_wanted_in_the_order_of_the_queue(queue):
    assert rows_of(queue) == queue.rows


@pytest.mark.parametrize("kind", ["given", "suggested"])
@pytest.mark.parametrize("code", [0, 1])
def test_rows_of_a_class(queue, audit, kind, code):
    table, name = audit.frame, {"given": "label", "suggested": "suggested_label"}[kind]
    wanted = [row for row in queue.rows if table[name][row] == ["no", "yes"][code]]
    assert rows_of(queue, **{kind: code}) == wanted


def test_rows_of_a_pair_are_counted(queue):
    for pair in queue.queued.pairs:
        assert len(rows_of(queue, given=pair["given"], suggested=pair["suggested"])) == pair["rows"]
    assert sum(pair["rows"] for pair in queue.queued.pairs) == len(queue)


def test_rows_of_a_segment(queue):
    assert rows_of(queue, column="site", value="south") == [row for row in queue.rows if row % 3 == 1]


def test_only_columns_of_few_values_are_listed(queue):
    assert {one["name"]: one["values"] for one in queue.queued.columns} == {"site": sorted(SITES)}


@pytest.mark.parametrize("text", ["ärger", "Ärger", "ÄRGER"])
def test_rows_that_hold_a_text_whatever_its_case(queue, text):
    assert rows_of(queue, text=text) == [row for row in queue.rows if row % 7 == 0]


def test_choices_are_joined(queue):
    found = rows_of(queue, given=0, column="site", value="north", text="remark")
    assert found == [row for row in rows_of(queue, given=0) if row % 3 == 0]


@pytest.mark.parametrize("order", ["quality", "row", "given", "suggested"])
def test_rows_are_sorted(queue, audit, order):
    values = {"row": pl.Series(range(400)), "quality": audit.frame["label_quality"]}
    values |= {"given": audit.frame["label"], "suggested": audit.frame["suggested_label"]}
    sorted_values = [values[order][row] for row in rows_of(queue, order=order)]
    assert sorted_values == sorted(sorted_values)
    assert sorted(rows_of(queue, order=order)) == sorted(queue.rows)


@pytest.fixture
def client(audit, tmp_path):
    with audit.review(tmp_path / "d.jsonl", open_browser=False) as session:
        yield Client(session.url).enter()


def places(client, **wanted) -> list[int]:
    return json.loads(client.ask(f"/api/places?{urlencode(wanted)}")[2])["places"]


def test_the_server_gives_the_places_and_the_rows_at_them(client):
    rows = json.loads(client.ask("/api/about")[2])["rows"]
    wanted = places(client, column="site", value="east", order="row")
    items = json.loads(client.ask(f"/api/rows?places={','.join(map(str, wanted))}")[2])["items"]
    assert [item["row"] for item in items] == [rows[place] for place in wanted] == sorted(rows[p] for p in wanted)


@pytest.mark.parametrize("query", ["given=-1&order=no", "given=x", "column=no", "places=1", "given=99999999999999"])
def test_what_means_nothing_is_passed_over(client, query):
    assert client.ask(f"/api/places?{query}")[0] == 200
    assert client.ask("/api/rows?places=-1,x,999999")[0] == 200


def test_a_value_is_shown_once(client):
    for item in queue_of(client):
        explained = {line["column"] for line in item["explanation"]["toward"] + item["explanation"]["against"]}
        assert not explained & {value["name"] for value in item["values"]}
        assert explained | {value["name"] for value in item["values"]} == {"x", "z", "site", "remark"}


def test_rows_of_a_sample_are_not_chosen(audit, tmp_path):
    with audit.review(tmp_path / "d.jsonl", sample=20, open_browser=False) as session:
        client = Client(session.url).enter()
        assert client.ask("/api/places?given=0")[0] == 500
        assert "pairs" not in json.loads(client.ask("/api/about")[2])


def decide_all(client, rows: list[list[int]], verdict: str, code: int = -1) -> tuple[int, dict]:
    said = {"rows": rows, "verdict": verdict, "code": code, "window": "w", "since": 0}
    status, _, body = client.ask("/api/decide_all", said)
    return status, json.loads(body)


@pytest.mark.parametrize("verdict", ["accept", "keep", "unclear", "choose"])
def test_several_rows_are_decided_at_once(client, verdict):
    items = queue_of(client, 5)
    status, answer = decide_all(client, [[item["row"], 0] for item in items], verdict, 1)
    wanted = {"accept": "suggested_code", "keep": "given_code"}.get(verdict)
    codes = [item[wanted] if wanted else {"unclear": -1, "choose": 1}[verdict] for item in items]
    made = dict(answer["changed"])
    assert (status, answer["made"]) == (200, 5)
    assert [made[item["row"]]["code"] for item in items] == codes


def test_rows_that_another_window_answered_are_passed_over(client):
    first, second = queue_of(client, 2)
    client.decide(first["row"], "unclear", -1, window="other")
    _, answer = decide_all(client, [[first["row"], 0], [second["row"], 0]], "keep")
    assert (answer["made"], answer["passed_over"]) == (1, [first["row"]])
    assert dict(answer["changed"])[first["row"]]["verdict"] == "unclear"


def test_one_undo_takes_back_all_that_were_decided_at_once(client):
    items = queue_of(client, 4)
    client.decide(items[0]["row"], "keep", items[0]["given_code"])
    decide_all(client, [[item["row"], 0] for item in items[1:]], "accept")
    answer = json.loads(client.ask("/api/undo", {"window": "w", "since": 0, "count": 3})[2])
    assert {row for row, one in answer["changed"] if one} == {items[0]["row"]}


@pytest.mark.parametrize("rows", [[[10**9, 0]], [[True, 0]], ["x"], [[]], "x", [["1", 0]]])
def test_what_is_no_decision_on_several_rows_is_refused(client, rows):
    assert decide_all(client, rows, "keep")[0] == 400


def test_a_row_is_decided_once_at_a_time(client):
    row = queue_of(client)[0]["row"]
    assert decide_all(client, [[row, 0], [row, 0]], "keep")[0] == 400
    assert json.loads(client.ask("/api/state?since=0")[2])["changed"] == []


def test_the_yield_is_what_the_qualities_add_up_to(client, queue):
    wrong = 1 - queue.evidence.quality[queue.order]
    items = queue_of(client, 2)
    client.decide(items[0]["row"], "unclear", -1)
    _, answer = client.decide(items[1]["row"], "accept", items[1]["suggested_code"])
    expected = answer["progress"]["expected"]
    assert (expected["read"], expected["left"]) == (1, len(queue) - 2)
    assert expected["decided"] == pytest.approx(wrong[1])
    assert expected["open"] == pytest.approx(wrong[2:].sum())


def test_scores_of_another_library_promise_no_yield():
    found = dqlabels.audit(pl.DataFrame(two_classes()), "label", compat="cleanlab")
    assert found._review_queue(None, None)[0].progress({})["expected"] is None


PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 20


@pytest.mark.parametrize(
    ("value", "kind"),
    [(PNG, "image/png"), (b"RIFF0000WEBPVP8 ", "image/webp"), (b"<svg onload=x>", ""), ("GIF89a", ""), (None, ""),
     (b"", ""), (b"II*\x00 a TIFF", "")],
)  # fmt: skip
def test_only_images_that_every_browser_shows_are_served(value, kind):
    assert image_type(value) == kind


def test_a_long_text_is_shown_with_its_lines():
    text = "First.\n\nSecond. " + "more " * 1000
    assert cell_of("remark", text)["text"] == text
    assert cell_of("remark", "x" * 30_000)["text"].endswith("x… (10,000 more letters)")


def test_an_image_of_a_row_is_served(tmp_path):
    data = two_classes()
    frame = pl.DataFrame({**data, "photo": [PNG + str(row).encode() for row in range(120)], "other": [b"text"] * 120})
    found = dqlabels.audit(frame, "label", exclude=["photo", "other"])
    with found.review(tmp_path / "d.jsonl", open_browser=False) as session:
        client = Client(session.url).enter()
        (item, *_) = queue_of(client)
        kinds = {value["name"]: value["kind"] for value in item["values"]}
        assert (kinds["photo"], kinds["other"]) == ("image", "text")
        asked = [client.ask(f"/api/image?place={at}&column={name}") for at, name in ((0, "photo"), (0, "other"))]
        assert [status for status, *_ in asked] == [200, 404]
        assert (asked[0][1]["content-type"], asked[0][1]["x-content-type-options"]) == ("image/png", "nosniff")
        assert [client.ask(f"/api/image?place={at}&column=label")[0] for at in (0, -1, 10**6)] == [404] * 3

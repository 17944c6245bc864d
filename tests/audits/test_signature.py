"""What type checkers are told of ``dqlabels.audit`` is what it is."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from support.other_labels import ANNOTATORS, TAG_PROBS, graded, prices, rated, rated_long, tagged, ticked

import dqlabels
from dqlabels.audits import signature
from dqlabels.audits.annotators.result import AnnotatorAudit
from dqlabels.audits.classes.result import LabelAudit
from dqlabels.audits.options import AuditOptions
from dqlabels.audits.tags.result import MultilabelAudit
from dqlabels.audits.values.result import ValueAudit

# The result by the name that it is annotated with, and a call by the overload that promises it, in their order.
RESULTS: list[tuple[type, Any, Any, dict[str, Any]]] = [
    (LabelAudit, graded, "grade", {"task": "ordinal"}),
    (ValueAudit, prices, "price", {"task": "regression"}),
    (MultilabelAudit, ticked, ["cat", "dog", "owl"], {"task": "multilabel", **TAG_PROBS}),
    (AnnotatorAudit, rated_long, "said", {"annotator": "who", "item": "item"}),
    (AnnotatorAudit, rated, ANNOTATORS, {}),
    (LabelAudit, graded, "grade", {}),
]


def test_the_options_are_those_of_the_audit():
    options = [name for name in inspect.signature(dqlabels.audit).parameters if name not in ("frame", "label")]
    assert sorted(AuditOptions.__annotations__) == sorted(options)


def test_there_is_a_call_here_for_every_promise():
    tree = ast.parse(Path(signature.__file__).read_text(encoding="utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name == "__call__"]
    promised = [ast.unparse(node.returns) for node in calls if node.returns is not None]
    assert promised == [*(result.__name__ for result, *_ in RESULTS), "Any"]


@pytest.mark.filterwarnings("ignore:Column 'grade' holds whole numbers:dqlabels.LabelWarning")
@pytest.mark.parametrize(("result", "table", "label", "options"), RESULTS)
def test_a_promise_is_kept(result, table, label, options):
    assert type(dqlabels.audit(pl.DataFrame(table()), label, **options)) is result


def test_a_column_of_lists_has_a_task_of_its_own():
    audit = dqlabels.audit(pl.DataFrame(tagged()), "tags", task="multilabel", **TAG_PROBS)
    assert type(audit) is MultilabelAudit

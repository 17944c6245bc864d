"""What a pandas frame is beside its values comes back with the result: its class, its attrs, its flags."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import dqlabels


class Places(pd.DataFrame):
    """A subclass with a property of its own, as GeoDataFrame is one."""

    _metadata = ["crs"]  # noqa: RUF012  what pandas asks for

    @property
    def _constructor(self):
        return Places


def table(seed=0):
    rng = np.random.default_rng(seed)
    label = np.where(rng.random(120) < 0.5, "a", "b")
    x = (label == "a") * 3 + rng.normal(size=120)
    return pd.DataFrame({"x": x, "z": 2 * x + rng.normal(size=120), "y": label})


def with_attrs():
    frame = table()
    frame.attrs["source"] = {"name": "survey"}
    return frame


def of_a_subclass():
    frame = Places(table())
    frame.crs = "EPSG:4326"
    return frame


def without_repeats():
    return table().set_flags(allows_duplicate_labels=False)


every_frame = pytest.mark.parametrize("make", [with_attrs, of_a_subclass, without_repeats])


def dress(frame):
    return type(frame), frame.attrs, getattr(frame, "crs", None), frame.flags.allows_duplicate_labels


@every_frame
@pytest.mark.parametrize(("label", "task"), [("y", "classes"), ("z", "regression")])
def test_an_audited_frame_is_what_the_callers_was(make, label, task):
    frame = make()
    assert dress(dqlabels.audit(frame, label, task=task).frame) == dress(frame)


@every_frame
def test_the_callers_frame_stays_as_it_was(make):
    frame = make()
    dqlabels.audit(frame, "y")
    assert dress(frame) == dress(make())
    pd.testing.assert_frame_equal(pd.DataFrame(frame), pd.DataFrame(make()), check_flags=False)


@every_frame
def test_a_batch_audited_by_an_auditor_is_what_it_was(make):
    frame = make()
    assert dress(dqlabels.LabelAuditor("y").fit(table(seed=1)).audit(frame).frame) == dress(frame)


def test_the_attrs_of_the_result_are_its_own():
    frame = with_attrs()
    dqlabels.audit(frame, "y").frame.attrs["source"]["name"] = "changed"
    assert frame.attrs["source"]["name"] == "survey"


def test_an_accessor_keeps_the_subclass():
    assert dress(of_a_subclass().labels.audit("y")) == dress(of_a_subclass())

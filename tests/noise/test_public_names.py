"""What users import from ``dqlabels.noise`` stays there."""

from __future__ import annotations

import pytest

import dqlabels
import dqlabels.confident
import dqlabels.noise


@pytest.mark.parametrize("name", dqlabels.noise.__all__)
def test_a_public_name_can_be_imported(name):
    assert getattr(dqlabels.noise, name) is not None


def test_rules_and_scores_are_importable_from_their_former_place():
    assert (dqlabels.confident.FILTERS, dqlabels.confident.SCORES) == (dqlabels.FILTERS, dqlabels.SCORES)

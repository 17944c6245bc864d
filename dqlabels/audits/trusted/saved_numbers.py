"""An auditor of numbers as the entries of a file, and back: every value is checked before it is used."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dqlabels.audits.trusted.drift import Baseline, read_spread
from dqlabels.audits.trusted.numbers import FittedValues, TrustedValues
from dqlabels.errors import AuditorFileError
from dqlabels.frames.archive import Archive
from dqlabels.frames.features import FeatureEncoder
from dqlabels.models.value_forest import ValueForest
from dqlabels.noise.increase import Zero
from dqlabels.statistics.residuals import SizeCounts, Tail, Usual
from dqlabels.statistics.value_scale import ValueScale
from dqlabels.version import __version__

VALUE_KIND = "value auditor"
FAMILIES = ("number", "moment", "duration")
# The numbers of the file's array "rule", in their order.
RULE = ("center", "unit", "share", "floor", "width", "freedom", "least", "largest", "error", "fdr")


def values_archive(fitted: FittedValues) -> Archive:
    """Return the entries of the file of an auditor of numbers."""
    scale, usual, tail = fitted.scale, fitted.usual, fitted.tail
    numbers = (
        scale.center, scale.unit, usual.share, usual.floor, tail.width, tail.freedom, fitted.least, fitted.largest,
        fitted.error, fitted.fdr,
    )  # fmt: skip
    cells = np.flatnonzero(fitted.sizes.counts)
    arrays: dict[str, NDArray[np.generic]] = {"rule": np.array(numbers, dtype=np.float64)}
    arrays |= {"sizes.cells": cells, "sizes.rows": fitted.sizes.counts[cells]}
    arrays |= {f"trees.{name}": array for name, array in fitted.trees.to_arrays(fitted.encoder.width).items()}
    header = {
        "kind": VALUE_KIND,
        "version": __version__,
        "label": {"name": fitted.label, "family": fitted.family},
        "encoder": fitted.encoder.to_dict(),
        "coarse": fitted.coarse,
        "rows": fitted.rows,
        "random_state": fitted.random_state,
        "names": list(fitted.names),
        **({} if fitted.trusted is None else {"trusted": _write_trusted(fitted.trusted)}),
    }
    return Archive(header, arrays, {})


def _write_trusted(trusted: TrustedValues) -> dict[str, object]:
    return {
        "zero": trusted.zero.to_dict(),
        "spread": trusted.spread.to_dict(),
        "baseline": trusted.baseline.to_dict(),
    }


def _read_trusted(saved: Mapping[str, Any], encoder: FeatureEncoder) -> TrustedValues:
    baseline = Baseline.from_dict(saved["baseline"], encoder)
    return TrustedValues(Zero.from_dict(saved["zero"], 1), read_spread(saved["spread"]), baseline)


def read_values(archive: Archive) -> FittedValues:
    """Return what :func:`values_archive` gave.

    Raises:
        AuditorFileError: A value that means nothing there.
        DQLabelsError: Encoders or trees that cannot be used.
    """
    facts, arrays = archive.header, archive.arrays
    label, names = facts["label"], [str(name) for name in facts["names"]]
    family, rows, seed = label["family"], facts["rows"], facts["random_state"]
    whole = all(type(number) is int and number >= 0 for number in (rows, seed))
    if family not in FAMILIES or not whole or len(names) != 3 or len(set(names)) != 3:
        raise AuditorFileError(
            f"Its {rows!r} rows of a {family!r}, seed {seed!r} or columns {names} mean nothing here."
        )
    numbers, encoder = _rule_numbers(arrays["rule"]), FeatureEncoder.from_dict(facts["encoder"])
    trees = {name.removeprefix("trees."): array for name, array in arrays.items() if name.startswith("trees.")}
    return FittedValues(
        str(label["name"]), family, encoder, ValueForest.from_arrays(trees, encoder.width), facts["coarse"] is True,
        ValueScale(numbers["center"], numbers["unit"]), Usual(numbers["share"], numbers["floor"]),
        Tail(numbers["width"], numbers["freedom"]), _sizes(arrays["sizes.cells"], arrays["sizes.rows"]), rows,
        numbers["least"], numbers["largest"], numbers["error"], numbers["fdr"], seed, (names[0], names[1], names[2]),
        _read_trusted(facts["trusted"], encoder) if "trusted" in facts else None,
    )  # fmt: skip


def _rule_numbers(array: NDArray[Any]) -> Mapping[str, float]:
    if array.shape != (len(RULE),) or array.dtype != np.float64:
        raise AuditorFileError(f"Its rule is {array.shape} numbers of {array.dtype} instead of {len(RULE)}.")
    numbers = dict(zip(RULE, array.tolist(), strict=True))
    positive = all(numbers[name] >= 0 for name in ("share", "floor", "width", "error"))
    sound = positive and numbers["unit"] > 0 and numbers["freedom"] > 0 and 0 < numbers["fdr"] < 1
    sound = sound and bool(np.isfinite(array).all())
    if not sound or numbers["least"] > numbers["largest"]:
        raise AuditorFileError(f"The numbers of its rule mean nothing here: {numbers}.")
    return numbers


def _sizes(cells: NDArray[Any], rows: NDArray[Any]) -> SizeCounts:
    """Return how many trusted rows have scores of each size."""
    whole = cells.dtype == rows.dtype == np.int64 and cells.ndim == 1 and cells.shape == rows.shape
    if not whole or (np.diff(cells) <= 0).any() or (rows <= 0).any():
        raise AuditorFileError("The sizes of its scores are no rows by cell, in order.")
    sizes = SizeCounts.empty()
    if cells.size and not 0 <= int(cells[0]) <= int(cells[-1]) < sizes.counts.size:
        raise AuditorFileError(f"The sizes of its scores lie in cells {int(cells[0])} to {int(cells[-1])}.")
    sizes.counts[cells] = rows
    return sizes

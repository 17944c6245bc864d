"""A fitted auditor as a file, and back: every value is checked before it is used (docs/auditor-format.md)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dqlabels.audits.classes.grades import GradeBars
from dqlabels.audits.trusted.drift import Baseline
from dqlabels.audits.trusted.fitted import Fitted, GradedTask
from dqlabels.audits.trusted.numbers import FittedValues
from dqlabels.audits.trusted.saved_classes import read_value, write_value
from dqlabels.audits.trusted.saved_numbers import VALUE_KIND, read_values, values_archive
from dqlabels.audits.trusted.saved_parts import (
    Models,
    read_embed,
    read_fitted_rows,
    read_names,
    read_settings,
    read_tally,
    read_wrong,
    whole_numbers,
    write_embed,
    write_model,
)
from dqlabels.audits.trusted.saved_tags import TAG_KIND, read_tags_archive, tags_archive
from dqlabels.audits.trusted.tags import FittedTags
from dqlabels.errors import AuditorFileError, MissingExtraError
from dqlabels.frames.archive import UNREADABLE, Archive, read_archive, write_archive
from dqlabels.frames.features import FeatureEncoder
from dqlabels.noise.increase import Zero
from dqlabels.noise.reference import checked_profile
from dqlabels.statistics.classes import ClassTally
from dqlabels.version import __version__

# What an auditor may have learned.
Learned = Fitted | FittedValues | FittedTags
# By the task that it was fitted for, so that a reader who does not know grades refuses them.
KINDS: dict[str, GradedTask] = {"label auditor": "classes", "grade auditor": "ordinal"}


def write_fitted(path: str | Path, fitted: Fitted) -> None:
    """Write what an auditor learned, whole or not at all.

    Raises:
        AuditorFileError: A model that the file cannot hold.
        MissingExtraError: A model of the user's own needs skops.
        OSError: The disk is full, or the folder cannot be written.
    """
    tally, rows = fitted.tally, fitted.fitted_rows
    arrays: dict[str, NDArray[np.generic]] = {"tally.rows": tally.rows, "tally.confidence": tally.confidence}
    arrays |= {"seen.keys": rows.keys, "seen.probs": rows.probs}
    if fitted.wrong is not None:
        arrays["wrong.nodes"] = fitted.wrong.nodes
    if fitted.bars is not None:
        near, cuts = fitted.bars.near, fitted.bars.cuts
        arrays |= {"grades.rows": near.rows, "grades.nearness": near.confidence}
        arrays |= {"cuts.rows": np.array([cut.rows for cut in cuts])}
        arrays |= {"cuts.confidence": np.array([cut.confidence for cut in cuts])}
    blobs: dict[str, bytes] = {}
    model = write_model(fitted.model, "", arrays, blobs)
    facts = {
        "kind": next(kind for kind, task in KINDS.items() if task == fitted.task),
        "version": __version__,
        "label": {
            "name": fitted.label,
            "dtype": fitted.label_dtype,
            "classes": [write_value(value) for value in fitted.classes],
        },
        "encoder": fitted.encoder.to_dict(),
        "model": model,
        "by_label": fitted.fitted_rows.by_label,
        "profile": dict(fitted.profile),
        "baseline": fitted.baseline.to_dict(),
        "settings": dict(fitted.settings),
        "names": list(fitted.names),
        "embed": write_embed(fitted.embed),
    }
    if fitted.zero is not None:
        facts["zero"] = fitted.zero.to_dict()
    write_archive(path, Archive(facts, arrays, blobs))


def write_values(path: str | Path, fitted: FittedValues) -> None:
    """Write what an auditor of numbers learned, whole or not at all.

    Raises:
        OSError: The disk is full, or the folder cannot be written.
    """
    write_archive(path, values_archive(fitted))


def write_tags(path: str | Path, fitted: FittedTags) -> None:
    """Write what an auditor of several labels per row learned, whole or not at all.

    Raises:
        AuditorFileError: A model that the file cannot hold.
        MissingExtraError: A model of the user's own needs skops.
        OSError: The disk is full, or the folder cannot be written.
    """
    write_archive(path, tags_archive(fitted))


def read_fitted(path: str | Path, trusted_types: tuple[str, ...]) -> Fitted:
    """What ``write_fitted`` wrote.

    Raises:
        AuditorFileError: Truncated, tampered with, of a newer version, or holding types not trusted.
        MissingExtraError: It holds a model of the user's own, and skops is not installed.
        OSError: The file cannot be read.
    """
    found = read_saved(path, trusted_types)
    if not isinstance(found, Fitted):
        kind = VALUE_KIND if isinstance(found, FittedValues) else TAG_KIND
        raise AuditorFileError(f"{path} holds a {kind!r}, and here an auditor of classes is needed.")
    return found


def read_saved(path: str | Path, trusted_types: tuple[str, ...]) -> Learned:
    """Read what ``write_fitted``, ``write_values`` or ``write_tags`` wrote.

    Raises:
        AuditorFileError: Truncated, tampered with, of a newer version, or holding types not trusted.
        MissingExtraError: It holds a model of the user's own, and skops is not installed.
        OSError: The file cannot be read.
    """
    archive = read_archive(path)
    kind = archive.header.get("kind")
    if kind not in (*KINDS, VALUE_KIND, TAG_KIND):
        raise AuditorFileError(f"{path} holds a {kind!r}, not a label auditor.")
    try:
        if kind == VALUE_KIND:
            return read_values(archive)
        return (read_tags_archive if kind == TAG_KIND else _read)(archive, trusted_types)
    except (AuditorFileError, MissingExtraError) as error:
        raise type(error)(f"{path}: {error}") from error
    except UNREADABLE as error:
        raise AuditorFileError(
            f"{path} cannot be used: {error or type(error).__name__}. It was altered, or is not what LabelAuditor.save "
            "wrote. Save it again from the auditor it was saved from."
        ) from error


def _read(archive: Archive, trusted_types: tuple[str, ...]) -> Fitted:
    facts, arrays = archive.header, archive.arrays
    label = facts["label"]
    classes = tuple(read_value(value) for value in label["classes"])
    k = len(classes)
    if k < 2 or len(set(classes)) != k:
        raise AuditorFileError(f"It names {len(set(classes))} different classes among {k}.")
    encoder = FeatureEncoder.from_dict(facts["encoder"])
    task = KINDS[facts["kind"]]
    profile = dict(checked_profile(facts["profile"]))
    if len(profile["classes"]) != k or len(profile["class_rows"]) != k:
        raise AuditorFileError("The profile has other classes than the auditor.")
    float(profile["model_error"]), int(profile["rows"]), float(profile["noise_rate"]["estimate"])
    return Fitted(
        str(label["name"]),
        classes,
        str(label["dtype"]),
        encoder,
        Models(archive, encoder.width, k, trusted_types).read(archive.header["model"], ""),
        read_tally(arrays, k),
        read_fitted_rows(arrays, k, facts),
        profile,
        Baseline.from_dict(facts["baseline"], encoder),
        read_settings(facts["settings"], task),
        read_names(facts["names"]),
        read_embed(facts.get("embed", {}), encoder),
        read_wrong(arrays["wrong.nodes"]) if "wrong.nodes" in arrays else None,
        Zero.from_dict(facts["zero"], k) if "zero" in facts else None,
        _bars(arrays, k) if task == "ordinal" else None,
    )


def _bars(arrays: Mapping[str, NDArray[Any]], k: int) -> GradeBars:
    """Return what the trusted rows say of K grades."""
    near = ClassTally(whole_numbers(arrays["grades.rows"], k), whole_numbers(arrays["grades.nearness"], k))
    rows, confidence = arrays["cuts.rows"], arrays["cuts.confidence"]
    if rows.shape != (k - 1, 2) or confidence.shape != (k - 1, 2):
        raise AuditorFileError(f"It has cuts of shape {rows.shape} and {confidence.shape} between {k} grades.")
    cuts = tuple(ClassTally(whole_numbers(rows[at], 2), whole_numbers(confidence[at], 2)) for at in range(k - 1))
    if any((tally.rows < 0).any() or (tally.confidence < 0).any() for tally in (near, *cuts)):
        raise AuditorFileError("The tallies of its grades are negative.")
    return GradeBars(near, cuts)

"""An auditor of several labels per row as the entries of a file, and back: every value is checked before it is used."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from dqlabels.audits.trusted.drift import Baseline
from dqlabels.audits.trusted.saved_classes import read_value, write_value
from dqlabels.audits.trusted.saved_parts import (
    Models,
    read_embed,
    read_fitted_rows,
    read_names,
    read_settings,
    read_tally,
    read_wrong,
    write_embed,
    write_model,
)
from dqlabels.audits.trusted.tags import RATE_KEYS, FittedTag, FittedTags
from dqlabels.errors import AuditorFileError
from dqlabels.frames.archive import Archive
from dqlabels.frames.features import FeatureEncoder
from dqlabels.noise.increase import Zero
from dqlabels.version import __version__

TAG_KIND = "tag auditor"
Content = TypeVar("Content")


def tags_archive(fitted: FittedTags) -> Archive:
    """Return the entries of the file of an auditor of several labels per row.

    Raises:
        AuditorFileError: A model that the file cannot hold.
        MissingExtraError: A model of the user's own needs skops.
    """
    arrays: dict[str, NDArray[np.generic]] = {}
    blobs: dict[str, bytes] = {}
    header = {
        "kind": TAG_KIND,
        "version": __version__,
        "label": {
            "name": fitted.label,
            "tags": [write_value(value) for value in fitted.values],
            **({"flags": True} if fitted.flags else {}),
        },
        "encoder": fitted.encoder.to_dict(),
        "tags": [_write_tag(tag, f"tag{at}.", arrays, blobs) for at, tag in enumerate(fitted.tags)],
        "rows": fitted.rows,
        "settings": dict(fitted.settings),
        "names": list(fitted.names),
        "embed": write_embed(fitted.embed),
        **({} if fitted.baseline is None else {"baseline": fitted.baseline.to_dict()}),
    }
    return Archive(header, arrays, blobs)


def _write_tag(
    tag: FittedTag, place: str, arrays: dict[str, NDArray[np.generic]], blobs: dict[str, bytes]
) -> dict[str, object]:
    """Add what judges a tag under names that begin with ``place``, and return what the header says of it."""
    own_blobs: dict[str, bytes] = {}
    own: dict[str, NDArray[np.generic]] = {
        "tally.rows": tag.tally.rows,
        "tally.confidence": tag.tally.confidence,
        "seen.keys": tag.fitted_rows.keys,
        "seen.probs": tag.fitted_rows.probs,
        "wrong.nodes": tag.wrong.nodes,
    }
    model = write_model(tag.model, "", own, own_blobs)
    arrays |= {place + name: array for name, array in own.items()}
    blobs |= {place + name: blob for name, blob in own_blobs.items()}
    return {
        "model": model,
        "by_label": tag.fitted_rows.by_label,
        "zero": tag.zero.to_dict(),
        "noise_rate": dict(tag.noise_rate),
    }


def read_tags_archive(archive: Archive, trusted_types: tuple[str, ...]) -> FittedTags:
    """Return what :func:`tags_archive` gave.

    Raises:
        AuditorFileError: A value that means nothing there.
        MissingExtraError: It holds a model of the user's own, and skops is not installed.
        DQLabelsError: Encoders or trees that cannot be used.
    """
    facts = archive.header
    label, rows = facts["label"], facts["rows"]
    flags = label.get("flags", False) is True
    values = tuple(read_value(value) for value in label["tags"])
    if not values or len(set(values)) != len(values) or len(facts["tags"]) != len(values):
        raise AuditorFileError(f"It names {len(set(values))} different tags and has {len(facts['tags'])} models.")
    if type(rows) is not int or rows < 1:
        raise AuditorFileError(f"It was fitted on {rows!r} rows.")
    encoder = FeatureEncoder.from_dict(facts["encoder"])
    arrays, blobs = _by_place(archive.arrays), _by_place(archive.blobs)
    tags = tuple(
        _read_tag(Archive(one, arrays[f"tag{at}"], blobs.get(f"tag{at}", {})), encoder.width, trusted_types)
        for at, one in enumerate(facts["tags"])
    )
    return FittedTags(
        str(label["name"]), values, tags, encoder, read_embed(facts["embed"], encoder), rows,
        read_settings(facts["settings"], "classes"), read_names(facts["names"]),
        Baseline.from_dict(facts["baseline"], encoder) if "baseline" in facts else None, flags,
    )  # fmt: skip


def _by_place(entries: Mapping[str, Content]) -> dict[str, dict[str, Content]]:
    """Return the entries of each tag by the names that they would have in a file of its own."""
    found: dict[str, dict[str, Content]] = {}
    for name, content in entries.items():
        place, _, own = name.partition(".")
        found.setdefault(place, {})[own] = content
    return found


def _read_tag(part: Archive, width: int, trusted_types: tuple[str, ...]) -> FittedTag:
    facts, arrays = part.header, part.arrays
    return FittedTag(
        Models(part, width, 2, trusted_types).read(facts["model"], ""),
        read_fitted_rows(arrays, 2, facts),
        read_tally(arrays, 2),
        read_wrong(arrays["wrong.nodes"]),
        Zero.from_dict(facts["zero"], 2),
        _rate(facts["noise_rate"]),
    )


def _rate(saved: Mapping[str, Any]) -> dict[str, Any]:
    """Return the noise rate of the trusted rows, whose numbers are shares in order."""
    rate = {name: saved[name] for name in RATE_KEYS}
    ends = [rate[name] for name in ("low", "estimate", "high")]
    # Not a number is in no range, so it is refused too.
    sound = all(type(share) is float and 0 <= share <= 1 for share in ends) and ends == sorted(ends)
    if not sound or type(rate["supported"]) is not bool or type(rate["caution"]) is not str:
        raise AuditorFileError(f"Its noise rate means nothing here: {rate}.")
    return rate

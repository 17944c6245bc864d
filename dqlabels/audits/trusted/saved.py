"""A fitted auditor as a file, and back: every value is checked before it is used (docs/auditor-format.md)."""

from __future__ import annotations

import datetime
import decimal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dqlabels.audits.classes.grades import GradeBars
from dqlabels.audits.trusted.drift import Baseline
from dqlabels.audits.trusted.fitted import Fitted, FittedRows, GradedTask
from dqlabels.audits.trusted.numbers import FittedValues
from dqlabels.audits.trusted.saved_numbers import VALUE_KIND, read_values, values_archive
from dqlabels.errors import AuditorFileError, MissingExtraError
from dqlabels.frames.archive import UNREADABLE, Archive, read_archive, unpacked_copy, write_archive
from dqlabels.frames.features import FeatureEncoder
from dqlabels.models.estimator import EstimatorModel, FoldsModel
from dqlabels.models.forest import LEFT_OUT, FittedModel, Forest
from dqlabels.models.halves import HalvesModel
from dqlabels.noise.increase import Zero
from dqlabels.noise.probability import FILTERS, WrongProbability
from dqlabels.noise.reference import checked_profile
from dqlabels.statistics.classes import ClassTally
from dqlabels.statistics.ordinal import GRADE_SCORES
from dqlabels.statistics.scores import N_BINS, SCORES
from dqlabels.version import __version__

# By the task that it was fitted for, so that a reader who does not know grades refuses them.
KINDS: dict[str, GradedTask] = {"label auditor": "classes", "grade auditor": "ordinal"}
ESTIMATOR = "model.skops"
# Where skops keeps its plain values.
SCHEMA = "schema.json"
# Classes come back as the values they were; what is not in this list cannot be a class of a saved auditor.
VALUES: dict[str, tuple[type, Callable[[Any], Any], Callable[[Any], Any]]] = {
    "str": (str, str, str),
    "bool": (bool, bool, bool),
    "int": (int, str, int),
    "float": (float, float.hex, float.fromhex),
    "datetime": (datetime.datetime, datetime.datetime.isoformat, datetime.datetime.fromisoformat),
    "date": (datetime.date, datetime.date.isoformat, datetime.date.fromisoformat),
    "decimal": (decimal.Decimal, str, decimal.Decimal),
}


def write_fitted(path: str | Path, fitted: Fitted) -> None:
    """Write what an auditor learned, whole or not at all.

    Raises:
        AuditorFileError: A model or a class that the file cannot hold.
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
    model = _write_model(fitted.model, "", arrays, blobs)
    called = [name for name, how in fitted.embed.items() if not isinstance(how, str)]
    if called:
        raise AuditorFileError(
            f"Columns {', '.join(map(repr, called))} are embedded by a callable, which no file can hold without code. "
            "Embed them before fitting, and before each audit, and leave embed= out."
        )
    facts = {
        "kind": next(kind for kind, task in KINDS.items() if task == fitted.task),
        "version": __version__,
        "label": {"name": fitted.label, "dtype": fitted.label_dtype, "classes": [_value(v) for v in fitted.classes]},
        "encoder": fitted.encoder.to_dict(),
        "model": model,
        "by_label": fitted.fitted_rows.by_label,
        "profile": dict(fitted.profile),
        "baseline": fitted.baseline.to_dict(),
        "settings": dict(fitted.settings),
        "names": list(fitted.names),
        "embed": dict(fitted.embed),
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


def _write_model(
    model: FittedModel, place: str, arrays: dict[str, NDArray[np.generic]], blobs: dict[str, bytes]
) -> dict[str, object]:
    """Add what a model consists of under names that begin with ``place``, and return what the header says of it.

    Raises:
        AuditorFileError: A model that no file can hold.
    """
    if isinstance(model, Forest):
        arrays.update({f"{place}forest.{name}": array for name, array in model.to_arrays().items()})
        return {"type": "forest", "left_out": model.left_out}
    if isinstance(model, HalvesModel):
        arrays.update({f"{place}halves.{name}": array for name, array in model.to_arrays().items()})
        return {"type": "halves"}
    if isinstance(model, EstimatorModel):
        blobs[place + ESTIMATOR] = _dump(model.estimator)
        return {"type": "estimator", "name": type(model.estimator).__name__}
    if isinstance(model, FoldsModel):
        whole = _write_model(model.whole, place, arrays, blobs)
        parts = [_write_model(part, f"{place}fold{at}.", arrays, blobs) for at, part in enumerate(model.parts)]
        return {"type": "folds", "whole": whole, "parts": parts, "shares": list(model.shares)}
    raise AuditorFileError(f"The auditor's model is a {type(model).__name__}, which no file can hold.")


def read_fitted(path: str | Path, trusted_types: tuple[str, ...]) -> Fitted:
    """What ``write_fitted`` wrote.

    Raises:
        AuditorFileError: Truncated, tampered with, of a newer version, or holding types not trusted.
        MissingExtraError: It holds a model of the user's own, and skops is not installed.
        OSError: The file cannot be read.
    """
    found = read_saved(path, trusted_types)
    if isinstance(found, FittedValues):
        raise AuditorFileError(f"{path} holds a {VALUE_KIND!r}, and here an auditor of classes is needed.")
    return found


def read_saved(path: str | Path, trusted_types: tuple[str, ...]) -> Fitted | FittedValues:
    """Read what ``write_fitted`` or ``write_values`` wrote.

    Raises:
        AuditorFileError: Truncated, tampered with, of a newer version, or holding types not trusted.
        MissingExtraError: It holds a model of the user's own, and skops is not installed.
        OSError: The file cannot be read.
    """
    archive = read_archive(path)
    kind = archive.header.get("kind")
    if kind not in (*KINDS, VALUE_KIND):
        raise AuditorFileError(f"{path} holds a {kind!r}, not a label auditor.")
    try:
        return read_values(archive) if kind == VALUE_KIND else _read(archive, trusted_types)
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
    classes = tuple(_from_value(value) for value in label["classes"])
    k = len(classes)
    if k < 2 or len(set(classes)) != k:
        raise AuditorFileError(f"It names {len(set(classes))} different classes among {k}.")
    encoder = FeatureEncoder.from_dict(facts["encoder"])
    task = KINDS[facts["kind"]]
    settings, names = _settings(facts["settings"], task), [str(name) for name in facts["names"]]
    if len(set(names)) != 3:
        raise AuditorFileError(f"It names {len(set(names))} output columns instead of 3.")
    profile = dict(checked_profile(facts["profile"]))
    if len(profile["classes"]) != k or len(profile["class_rows"]) != k:
        raise AuditorFileError("The profile has other classes than the auditor.")
    float(profile["model_error"]), int(profile["rows"]), float(profile["noise_rate"]["estimate"])
    tally = ClassTally(_vector(arrays["tally.rows"], k), _vector(arrays["tally.confidence"], k))
    if (tally.rows < 0).any() or (tally.confidence < 0).any():
        raise AuditorFileError("The class tallies are negative.")
    return Fitted(
        str(label["name"]),
        classes,
        str(label["dtype"]),
        encoder,
        _Models(archive, encoder.width, k, trusted_types).read(archive.header["model"], ""),
        tally,
        _fitted_rows(arrays, k, facts),
        profile,
        Baseline.from_dict(facts["baseline"], encoder),
        settings,
        (names[0], names[1], names[2]),
        _embed(facts.get("embed", {}), encoder),
        _wrong(arrays["wrong.nodes"]) if "wrong.nodes" in arrays else None,
        Zero.from_dict(facts["zero"], k) if "zero" in facts else None,
        _bars(arrays, k) if task == "ordinal" else None,
    )


def _wrong(nodes: NDArray[Any]) -> WrongProbability:
    """Return P(wrong) by score, from scores that rise and log-odds that do not."""
    sound = nodes.ndim == 2 and nodes.shape[1] == 2 and 0 < len(nodes) <= N_BINS and nodes.dtype == np.float64
    if not sound or not np.isfinite(nodes).all() or (np.diff(nodes, axis=0) * [1, -1] < 0).any():
        raise AuditorFileError("Its probabilities by score are not scores in order, with log-odds that fall.")
    return WrongProbability.of(nodes)


def _embed(saved: Mapping[str, object], encoder: FeatureEncoder) -> dict[str, str]:
    """Return the columns of images; files of earlier versions have none."""
    if any(how != "image" or encoder.kinds.get(name) != "vector" for name, how in saved.items()):
        raise AuditorFileError(f"It turns columns into vectors in a way that means nothing here: {dict(saved)}.")
    return dict.fromkeys(saved, "image")


def _bars(arrays: Mapping[str, NDArray[Any]], k: int) -> GradeBars:
    """Return what the trusted rows say of K grades."""
    near = ClassTally(_vector(arrays["grades.rows"], k), _vector(arrays["grades.nearness"], k))
    rows, confidence = arrays["cuts.rows"], arrays["cuts.confidence"]
    if rows.shape != (k - 1, 2) or confidence.shape != (k - 1, 2):
        raise AuditorFileError(f"It has cuts of shape {rows.shape} and {confidence.shape} between {k} grades.")
    cuts = tuple(ClassTally(_vector(rows[at], 2), _vector(confidence[at], 2)) for at in range(k - 1))
    if any((tally.rows < 0).any() or (tally.confidence < 0).any() for tally in (near, *cuts)):
        raise AuditorFileError("The tallies of its grades are negative.")
    return GradeBars(near, cuts)


def _settings(saved: Mapping[str, Any], task: GradedTask) -> dict[str, Any]:
    settings = {key: saved[key] for key in ("filter_by", "score", "adjust", "compat", "random_state")}
    settings["min_precision"] = saved.get("min_precision")  # files of earlier versions have none
    seed, share = settings["random_state"], settings["min_precision"]
    sound = share is None or (type(share) is float and 0 < share < 1)
    sound = sound and settings["filter_by"] in FILTERS and settings["score"] in SCORES and settings["compat"] is None
    sound = sound and (task == "classes" or (settings["score"] in GRADE_SCORES and settings["adjust"] is False))
    if not sound or type(settings["adjust"]) is not bool or type(seed) is not int or seed < 0:
        raise AuditorFileError(f"Its settings mean nothing here: {settings}.")
    return settings


def _vector(array: NDArray[Any], size: int) -> NDArray[np.int64]:
    if array.shape != (size,) or array.dtype != np.int64:
        raise AuditorFileError(f"An array of shape {array.shape}, {array.dtype}, is not ({size},) whole numbers.")
    return array


def _fitted_rows(arrays: Mapping[str, NDArray[Any]], k: int, facts: Mapping[str, Any]) -> FittedRows:
    keys, probs, by_label = arrays["seen.keys"], arrays["seen.probs"], facts["by_label"] is True
    # Halves know the rows they saw; of any other model a file must say what it is to say of them.
    if (facts["model"]["type"] == "halves") != (keys.size == 0):
        raise AuditorFileError(f"It has answers for {keys.size:,} fitted rows.")
    if keys.ndim != 1 or keys.dtype != np.uint64 or (keys[1:] <= keys[:-1]).any():
        raise AuditorFileError("The keys of the fitted rows are not in order.")
    if probs.shape != (keys.size, k) or probs.dtype != np.float64 or not np.isfinite(probs).all():
        raise AuditorFileError("The answers for the fitted rows do not fit their keys.")
    if (probs < 0).any() or (np.abs(probs.sum(axis=1) - 1) > 1e-6).any():
        raise AuditorFileError("The answers for the fitted rows are no probabilities.")
    return FittedRows(keys, probs, by_label)


@dataclass(frozen=True, slots=True)
class _Models:
    """Reads the models of an archive, each for rows of ``width`` features and ``k`` classes."""

    archive: Archive
    width: int
    k: int
    trusted_types: tuple[str, ...]

    def read(self, facts: Mapping[str, Any], place: str) -> FittedModel:
        """Return the model that the header describes, of the entries whose names begin with ``place``.

        Raises:
            AuditorFileError: No model that this version knows.
        """
        kind = facts["type"]
        if kind == "forest":
            arrays = _own(self.archive, f"{place}forest.")
            return Forest.from_arrays(arrays, self.width, self.k, float(facts.get("left_out", LEFT_OUT)))
        if kind == "halves":
            return HalvesModel.from_arrays(_own(self.archive, f"{place}halves."), self.width, self.k)
        if kind == "estimator":
            blob = self.archive.blobs[place + ESTIMATOR]
            model = EstimatorModel(_load(blob, self.trusted_types), self.width, self.k)
            model.predict_proba(np.zeros((1, self.width), dtype=np.float32))  # one that cannot judge is found out here
            return model
        if kind != "folds" or place:
            raise AuditorFileError(f"Its model is a {kind!r}, which this version does not know.")
        shares = tuple(float(share) for share in facts["shares"])
        if len(shares) != len(facts["parts"]) or min(shares, default=0) <= 0 or abs(sum(shares) - 1) > 1e-6:
            raise AuditorFileError(f"Its {len(facts['parts'])} models of folds have the shares {shares}.")
        parts = tuple(self.read(part, f"fold{at}.") for at, part in enumerate(facts["parts"]))
        return FoldsModel(self.read(facts["whole"], place), parts, shares)


def _own(archive: Archive, prefix: str) -> dict[str, NDArray[np.generic]]:
    """Return the arrays whose names begin with the prefix, by the names without it."""
    own = {name: array for name, array in archive.arrays.items() if name.startswith(prefix)}
    return {name.removeprefix(prefix): array for name, array in own.items()}


def _dump(estimator: object) -> bytes:
    skops = _skops()
    try:
        dumped: bytes = skops.dumps(estimator)
    except (TypeError, ValueError, AttributeError, NotImplementedError) as error:
        raise AuditorFileError(
            f"{type(estimator).__name__} cannot be saved without code ({error}). Fit with the default model, or with "
            "one of scikit-learn's."
        ) from error
    return dumped


def _load(blob: bytes, trusted_types: tuple[str, ...]) -> Any:
    skops = _skops()
    try:
        blob = unpacked_copy(blob, SCHEMA)
        unknown = sorted(set(skops.get_untrusted_types(data=blob)) - set(trusted_types))
    except UNREADABLE as error:
        raise AuditorFileError(f"Its model cannot be read: {error or type(error).__name__}.") from error
    if unknown:
        raise AuditorFileError(
            f"Its model holds types that are not trusted: {', '.join(unknown)}. If you know who wrote the file, pass "
            f"trusted_types={unknown!r}; their contents are not checked."
        )
    try:
        return skops.loads(blob, trusted=list(trusted_types))
    except UNREADABLE as error:
        raise AuditorFileError(f"Its model cannot be read: {error or type(error).__name__}.") from error


def _skops() -> Any:
    try:
        import skops.io
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] != "skops":
            raise
        raise MissingExtraError(
            'A model of your own is kept by skops, which is not installed: pip install "dqlabels[skops]"'
        ) from error
    return skops.io


def _value(value: object) -> list[str]:
    for name, (kind, write, _) in VALUES.items():
        if type(value) is kind or (kind is datetime.datetime and isinstance(value, kind)):
            return [name, write(value)]
    raise AuditorFileError(
        f"The class {value!r} is a {type(value).__name__}, which a saved auditor cannot hold. Turn the labels into "
        "strings or numbers before fitting."
    )


def _from_value(saved: Any) -> Any:
    name, written = saved
    kind, _, read = VALUES[name]
    value = read(written)
    if not isinstance(value, kind):
        raise AuditorFileError(f"{written!r} is no {name}.")
    return value

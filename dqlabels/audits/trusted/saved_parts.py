"""What the files of several kinds of auditor consist of, and back: models, fitted rows, settings, classes and tags."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dqlabels.audits.trusted.fitted import FittedRows, GradedTask
from dqlabels.errors import AuditorFileError, MissingExtraError
from dqlabels.frames.archive import UNREADABLE, Archive, unpacked_copy
from dqlabels.frames.features import FeatureEncoder
from dqlabels.frames.media import Embedding
from dqlabels.models.estimator import EstimatorModel, FoldsModel
from dqlabels.models.forest import LEFT_OUT, FittedModel, Forest
from dqlabels.models.halves import HalvesModel
from dqlabels.noise.probability import FILTERS, WrongProbability
from dqlabels.statistics.classes import ClassTally
from dqlabels.statistics.ordinal import GRADE_SCORES
from dqlabels.statistics.scores import N_BINS, SCORES

ESTIMATOR = "model.skops"
# Where skops keeps its plain values.
SCHEMA = "schema.json"


def write_model(
    model: FittedModel, place: str, arrays: dict[str, NDArray[np.generic]], blobs: dict[str, bytes]
) -> dict[str, object]:
    """Add what a model consists of to the entries of a file, and return what the header says of it.

    Args:
        model: What judges rows.
        place: What the names of its entries begin with.
        arrays: Those of the file so far.
        blobs: Those of the file so far.

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
        whole = write_model(model.whole, place, arrays, blobs)
        parts = [write_model(part, f"{place}fold{at}.", arrays, blobs) for at, part in enumerate(model.parts)]
        return {"type": "folds", "whole": whole, "parts": parts, "shares": list(model.shares)}
    raise AuditorFileError(f"The auditor's model is a {type(model).__name__}, which no file can hold.")


def whole_numbers(array: NDArray[Any], size: int) -> NDArray[np.int64]:
    """Return the array where it is so many whole numbers.

    Raises:
        AuditorFileError: It is something else.
    """
    if array.shape != (size,) or array.dtype != np.int64:
        raise AuditorFileError(f"An array of shape {array.shape}, {array.dtype}, is not ({size},) whole numbers.")
    return array


def read_tally(arrays: Mapping[str, NDArray[Any]], k: int) -> ClassTally:
    """Return the rows and self-confidence of each of K classes.

    Raises:
        AuditorFileError: They are something else, or negative.
    """
    tally = ClassTally(whole_numbers(arrays["tally.rows"], k), whole_numbers(arrays["tally.confidence"], k))
    if (tally.rows < 0).any() or (tally.confidence < 0).any():
        raise AuditorFileError("The class tallies are negative.")
    return tally


def read_fitted_rows(arrays: Mapping[str, NDArray[Any]], k: int, facts: Mapping[str, Any]) -> FittedRows:
    """Return the answers for the rows a model was fitted on.

    Args:
        arrays: Those of the file.
        k: Number of classes, K.
        facts: What the header says of the model.

    Raises:
        AuditorFileError: No probabilities, keys out of order, or answers where there should be none.
    """
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
class Models:
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


def read_wrong(nodes: NDArray[Any]) -> WrongProbability:
    """Return P(wrong) by score, from scores that rise and log-odds that do not."""
    sound = nodes.ndim == 2 and nodes.shape[1] == 2 and 0 < len(nodes) <= N_BINS and nodes.dtype == np.float64
    if not sound or not np.isfinite(nodes).all() or (np.diff(nodes, axis=0) * [1, -1] < 0).any():
        raise AuditorFileError("Its probabilities by score are not scores in order, with log-odds that fall.")
    return WrongProbability.of(nodes)


def write_embed(embed: Mapping[str, Embedding]) -> dict[str, Embedding]:
    """Return how columns are turned into vectors, where no code does it.

    Raises:
        AuditorFileError: A callable does.
    """
    called = [name for name, how in embed.items() if not isinstance(how, str)]
    if called:
        raise AuditorFileError(
            f"Columns {', '.join(map(repr, called))} are embedded by a callable, which no file can hold without code. "
            "Embed them before fitting, and before each audit, and leave embed= out."
        )
    return dict(embed)


def read_embed(saved: Mapping[str, object], encoder: FeatureEncoder) -> dict[str, str]:
    """Return the columns of images; files of earlier versions have none."""
    if any(how != "image" or encoder.kinds.get(name) != "vector" for name, how in saved.items()):
        raise AuditorFileError(f"It turns columns into vectors in a way that means nothing here: {dict(saved)}.")
    return dict.fromkeys(saved, "image")


def read_names(saved: Sequence[object]) -> tuple[str, str, str]:
    """Return the names of the three output columns.

    Raises:
        AuditorFileError: They are not three different ones.
    """
    names = [str(name) for name in saved]
    if len(names) != 3 or len(set(names)) != 3:
        raise AuditorFileError(f"It names {len(set(names))} output columns instead of 3.")
    return names[0], names[1], names[2]


def read_settings(saved: Mapping[str, Any], task: GradedTask) -> dict[str, Any]:
    """Return the options that were settled when the auditor was fitted.

    Raises:
        AuditorFileError: Values that they cannot have.
    """
    settings = {key: saved[key] for key in ("filter_by", "score", "adjust", "compat", "random_state")}
    settings["min_precision"] = saved.get("min_precision")  # files of earlier versions have none
    seed, share = settings["random_state"], settings["min_precision"]
    sound = share is None or (type(share) is float and 0 < share < 1)
    sound = sound and settings["filter_by"] in FILTERS and settings["score"] in SCORES and settings["compat"] is None
    sound = sound and (task == "classes" or (settings["score"] in GRADE_SCORES and settings["adjust"] is False))
    if not sound or type(settings["adjust"]) is not bool or type(seed) is not int or seed < 0:
        raise AuditorFileError(f"Its settings mean nothing here: {settings}.")
    return settings

"""The errors of dqlabels, by what is wrong; all are ``DQLabelsError``s, so one ``except`` catches them."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


class DQLabelsError(ValueError):
    """Base class of the errors that dqlabels raises."""


class LabelColumnError(DQLabelsError):
    """The label column cannot be audited: missing, constant, continuous or unique per row."""


class FeatureError(DQLabelsError):
    """The feature columns cannot be used: missing, duplicated, unusable, or none is left."""


class ProbabilityError(DQLabelsError):
    """The predicted probabilities are not probabilities, or do not match the classes."""


class OutputColumnError(DQLabelsError):
    """The frame already has a column that the audit would write."""


class OptionError(DQLabelsError):
    """An option has a value that cannot be used."""


class UnknownOptionError(OptionError, TypeError):
    """An option does not exist; the message suggests the one that was probably meant."""


class ModelError(DQLabelsError):
    """The model cannot be fitted or gives no probabilities."""


class AuditorFileError(DQLabelsError):
    """A saved auditor cannot be read or written: truncated, altered, of a newer version, or another kind of file."""


class MissingExtraError(DQLabelsError, ImportError):
    """An optional dependency is not installed; the message says how to install it."""


class LabelNoiseError(DQLabelsError):
    """A gate failed; ``result`` carries the :class:`~dqlabels.audits.classes.result.GateResult`."""

    def __init__(self, message: str, result: object = None) -> None:
        super().__init__(message)
        self.result = result


class GateNotRunError(DQLabelsError):
    """A gate could not check the labels; this is never a pass."""


class LabelWarning(UserWarning):
    """Something that the reader of an audit should know about the table; the audit is complete all the same."""


def warn_all(notes: Iterable[str], *, stacklevel: int) -> None:
    """Warn of each note; ``stacklevel`` is that of :func:`warnings.warn`, counted from here."""
    for note in notes:
        warnings.warn(note, LabelWarning, stacklevel=stacklevel)


@contextmanager
def needing(cure: str) -> Iterator[None]:
    """Raise what a user can act on where an import inside fails.

    Args:
        cure: What is not installed, and how to install it.

    Raises:
        MissingExtraError: A module is not there.
    """
    try:
        yield
    except ImportError as error:
        raise MissingExtraError(cure) from error

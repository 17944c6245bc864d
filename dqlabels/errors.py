"""The errors of dqlabels, by what is wrong; all are ``DQLabelsError``s, so one ``except`` catches them."""

from __future__ import annotations


class DQLabelsError(ValueError):
    """Base of every error that dqlabels raises on purpose."""


class LabelColumnError(DQLabelsError):
    """The label column cannot be audited: missing, constant, continuous or unique per row."""


class FeatureError(DQLabelsError):
    """The feature columns cannot be used: absent, duplicated, or nothing is left of them."""


class ProbabilityError(DQLabelsError):
    """The predicted probabilities are not probabilities, or do not match the classes."""


class OutputColumnError(DQLabelsError):
    """A column that the audit would write is already in the frame."""


class OptionError(DQLabelsError):
    """An option has a value that means nothing here."""


class UnknownOptionError(OptionError, TypeError):
    """An option that the call does not know; the message names the one that was likely meant."""


class ModelError(DQLabelsError):
    """The model cannot be fitted or gives no probabilities."""


class AuditorFileError(DQLabelsError):
    """A saved auditor cannot be read or written: truncated, tampered with, of a newer version, or not one at all."""


class MissingExtraError(DQLabelsError, ImportError):
    """An optional dependency is not installed; the message says how to install it."""


class LabelNoiseError(DQLabelsError):
    """A gate failed; ``result`` carries the :class:`~dqlabels.audits.classes.result.GateResult`."""

    def __init__(self, message: str, result: object = None) -> None:
        super().__init__(message)
        self.result = result


class GateNotRunError(DQLabelsError):
    """A gate was asked for and did not look at the labels; never to be taken for a pass."""


class LabelWarning(UserWarning):
    """Something about the table that the reader of an audit should know; nothing was lost."""

"""Label quality as pandera checks: for a ``DataFrameSchema`` on pandas or Polars, or a ``DataFrameModel``'s ``Config``.

Importing this module registers the checks with pandera, and makes a Polars schema that holds one of them refuse a
LazyFrame whose data pandera would not have looked at.
"""

from __future__ import annotations

from dqlabels.errors import MissingExtraError

try:
    import pandera as _pandera  # noqa: F401
    from pandera.api import checks as _checks  # noqa: F401
except ModuleNotFoundError as error:
    raise MissingExtraError(
        f'pandera is not installed ({error}): pip install "dqlabels[pandera]", with pandas or Polars.'
    ) from error

from dqlabels.integrations.pandera.checks import (
    annotator_agreement_at_least,
    annotator_noise_at_most,
    class_label_noise_at_most,
    each_annotator_noise_at_most,
    each_tag_noise_at_most,
    flagged_value_share_at_most,
    label_noise_at_most,
    label_noise_increase_at_most,
    label_pair_share_at_most,
    label_quality_at_least,
    segment_label_noise_at_most,
    tag_noise_at_most,
)
from dqlabels.integrations.pandera.run import guard_lazy_frames, validate

__all__ = [
    "annotator_agreement_at_least",
    "annotator_noise_at_most",
    "class_label_noise_at_most",
    "each_annotator_noise_at_most",
    "each_tag_noise_at_most",
    "flagged_value_share_at_most",
    "label_noise_at_most",
    "label_noise_increase_at_most",
    "label_pair_share_at_most",
    "label_quality_at_least",
    "segment_label_noise_at_most",
    "tag_noise_at_most",
    "validate",
]

guard_lazy_frames()

"""Expectations on label quality for Great Expectations 1.x.

Importing this module registers the expectations. Great Expectations drops an expectation it does not know
from a stored suite without a word, so import it before a suite is loaded, or name the store of ``.store`` in
``great_expectations.yml``, which does it in any process and refuses a suite that it cannot load whole.
"""

from __future__ import annotations

from dqlabels.errors import MissingExtraError

try:
    import great_expectations as _great_expectations  # noqa: F401
except ModuleNotFoundError as error:
    if error.name != "great_expectations":
        raise
    raise MissingExtraError(
        'Great Expectations is not installed: pip install "dqlabels[great-expectations]".'
    ) from error

from dqlabels.integrations.great_expectations.annotator import (
    ExpectAnnotatorAgreementToBeAtLeast,
    ExpectAnnotatorNoiseRateToBeAtMost,
    ExpectEachAnnotatorNoiseRateToBeAtMost,
)
from dqlabels.integrations.great_expectations.frames import as_gx_dataframe
from dqlabels.integrations.great_expectations.label import (
    ExpectClassLabelNoiseRatesToBeAtMost,
    ExpectLabelNoiseIncreaseToBeAtMost,
    ExpectLabelNoiseRateToBeAtMost,
    ExpectLabelQualityToBeAtLeast,
    ExpectSegmentLabelNoiseRatesToBeAtMost,
)
from dqlabels.integrations.great_expectations.suites import (
    SuiteIncompleteError,
    assert_suite_complete,
    materialised_suite,
)
from dqlabels.integrations.great_expectations.tag import (
    ExpectEachTagNoiseRateToBeAtMost,
    ExpectTagNoiseRateToBeAtMost,
)
from dqlabels.integrations.great_expectations.value import ExpectFlaggedValueShareToBeAtMost

__all__ = [
    "ExpectAnnotatorAgreementToBeAtLeast",
    "ExpectAnnotatorNoiseRateToBeAtMost",
    "ExpectClassLabelNoiseRatesToBeAtMost",
    "ExpectEachAnnotatorNoiseRateToBeAtMost",
    "ExpectEachTagNoiseRateToBeAtMost",
    "ExpectFlaggedValueShareToBeAtMost",
    "ExpectLabelNoiseIncreaseToBeAtMost",
    "ExpectLabelNoiseRateToBeAtMost",
    "ExpectLabelQualityToBeAtLeast",
    "ExpectSegmentLabelNoiseRatesToBeAtMost",
    "ExpectTagNoiseRateToBeAtMost",
    "SuiteIncompleteError",
    "as_gx_dataframe",
    "assert_suite_complete",
    "materialised_suite",
]

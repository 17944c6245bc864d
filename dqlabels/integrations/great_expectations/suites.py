"""A suite that gates the columns of an audit, and the check that a loaded suite is whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, TypeAlias

from great_expectations import expectations as gxe
from great_expectations.checkpoint import Checkpoint
from great_expectations.core import ExpectationSuite, ValidationDefinition
from great_expectations.expectations.expectation import Expectation
from great_expectations.expectations.metadata_types import FailureSeverity

from dqlabels.errors import DQLabelsError, OptionError
from dqlabels.frames.columns import AUDIT_COLUMNS
from dqlabels.integrations.sharing import MOSTLY, checked_share

if TYPE_CHECKING:
    from great_expectations.data_context import AbstractDataContext

Loaded: TypeAlias = ExpectationSuite | ValidationDefinition | Checkpoint
# A limit of 0.07 means a share of at least 0.93, not of 0.9299999999999999. A limit of 7/120 has no such short form,
# and a share that equals it is not to fail by the last bit.
DIGITS, TOLERANCE = 12, 1e-15


class SuiteIncompleteError(DQLabelsError):
    """A suite was loaded without expectations that are stored in it."""


def materialised_suite(
    name: str,
    *,
    max_flagged_share: float | None = None,
    min_quality: float | None = None,
    mostly: float = MOSTLY,
    min_audited_share: float = 0.5,
    names: tuple[str, str, str] = AUDIT_COLUMNS,
    severity: str = "critical",
) -> ExpectationSuite:
    """Return a suite of core expectations that gate the columns which an audit wrote, on any engine.

    Nothing needs to be imported where it runs. It expects the columns to be there and filled, and the limits to hold;
    an empty table, or one that was never audited, fails.

    Args:
        name: Name of the suite.
        max_flagged_share: The largest share of the rows with a label that may be flagged. This is the flagged share,
            not the estimated noise rate, which no column holds.
        min_quality: The lowest quality that is good enough: the probability that the label is right, in [0, 1]. 0.5
            asks that labels are more likely right than not.
        mostly: The share of the rows with a label that must reach it.
        min_audited_share: The lowest share of all rows that must have a quality; the others have no label.
        names: The three columns of the audit: quality, suggestion, flag.
        severity: What a broken limit is: ``"critical"``, ``"warning"`` or ``"info"``.

    Raises:
        OptionError: No limit, or a share outside [0, 1].

    >>> suite = materialised_suite("labels", max_flagged_share=0.05)
    >>> [expectation.expectation_type for expectation in suite.expectations][-1]
    'expect_column_values_to_be_in_set'
    """
    quality, _, flag = names
    if max_flagged_share is None and min_quality is None:
        raise OptionError("The suite has no limit. Set max_flagged_share= or min_quality=, or both.")
    shares = {"max_flagged_share": max_flagged_share, "min_quality": min_quality, "mostly": mostly}
    for option, value in {**shares, "min_audited_share": min_audited_share}.items():
        if value is not None:
            checked_share(option, value)
    level = FailureSeverity(severity)
    checks: list[Expectation] = [gxe.ExpectTableRowCountToBeBetween(min_value=1)]
    checks += [gxe.ExpectColumnToExist(column=column) for column in names]
    checks += [gxe.ExpectColumnValuesToNotBeNull(column=column, mostly=min_audited_share) for column in (quality, flag)]
    if min_quality is not None:
        checks.append(
            gxe.ExpectColumnValuesToBeBetween(
                column=quality, min_value=min_quality, max_value=1, mostly=mostly, severity=level
            )
        )
    if max_flagged_share is not None:
        exact = 1 - max_flagged_share
        least = round(exact, DIGITS) if abs(round(exact, DIGITS) - exact) < TOLERANCE else exact - TOLERANCE
        # Not the mean of the flags: several databases take no mean of a boolean.
        checks.append(gxe.ExpectColumnValuesToBeInSet(column=flag, value_set=[False], mostly=least, severity=level))
    # In one go: to add to a suite, Great Expectations wants a data context to be there.
    return ExpectationSuite(name=name, expectations=checks)


def assert_suite_complete(context: AbstractDataContext, suite: str | Loaded) -> None:
    """Raise where a loaded suite has fewer expectations than are stored for it.

    Great Expectations drops an expectation whose class is not imported from a suite that it loads, runs the rest
    and reports success; saving such a suite deletes what was dropped. Call this before either.

    Args:
        context: The data context that holds the suite.
        suite: Its name, or what was loaded: an ``ExpectationSuite``, ``ValidationDefinition`` or ``Checkpoint``.

    Raises:
        SuiteIncompleteError: Expectations were lost.

    >>> import great_expectations as gx
    >>> context = gx.get_context(mode="ephemeral")
    >>> suite = context.suites.add(materialised_suite("labels", max_flagged_share=0.05))
    >>> assert_suite_complete(context, "labels")  # raises where an expectation was lost
    """
    for loaded in _suites(context, suite):
        store = context.suites._store  # the factory hands out no stored text
        stored = store.get(store.get_key(name=loaded.name, id=loaded.id))["expectations"]
        lost = Counter(item["type"] for item in stored)
        lost.subtract(expectation.expectation_type for expectation in loaded.expectations)
        refuse_lost(loaded.name, [name for name, times in lost.items() if times > 0])


def refuse_lost(suite: str, types: Sequence[str]) -> None:
    """Raise where expectations of some types were lost from a suite.

    Raises:
        SuiteIncompleteError: Naming them, and the way out.
    """
    if not types:
        return
    listed = ", ".join(map(repr, sorted(set(types))))
    raise SuiteIncompleteError(
        f"Suite {suite!r} is stored with expectations that were not loaded: {listed}. A validation would pass without "
        "them, and saving the suite would delete them. Import the module that defines them before the suite is loaded "
        "(for those of dqlabels: import dqlabels.integrations.great_expectations), or name the store "
        "dqlabels.integrations.great_expectations.store in great_expectations.yml; then load the suite again."
    )


def _suites(context: AbstractDataContext, suite: str | Loaded) -> Iterable[ExpectationSuite]:
    if isinstance(suite, str):
        return [context.suites.get(suite)]
    if isinstance(suite, Checkpoint):
        return [definition.suite for definition in suite.validation_definitions]
    return [suite.suite if isinstance(suite, ValidationDefinition) else suite]

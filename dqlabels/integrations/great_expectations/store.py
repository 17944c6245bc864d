"""The expectations store to name in ``great_expectations.yml``, so that any process knows the expectations."""

from __future__ import annotations

from great_expectations.core.data_context_key import DataContextKey
from great_expectations.data_context.store import ExpectationsStore as _ExpectationsStore
from great_expectations.exceptions import ExpectationNotFoundError
from great_expectations.expectations.registry import get_expectation_impl

import dqlabels.integrations.great_expectations as _registers_the_expectations  # noqa: F401
from dqlabels.integrations.great_expectations.results import Fields
from dqlabels.integrations.great_expectations.suites import SuiteIncompleteError, refuse_lost


class ExpectationsStore(_ExpectationsStore):
    """Great Expectations' own store, which knows the expectations of dqlabels.

    A suite with an expectation of a type that nobody registered is refused rather than handed out without it.

    In ``great_expectations.yml``::

        stores:
          expectations_store:
            class_name: ExpectationsStore
            module_name: dqlabels.integrations.great_expectations.store
            store_backend: ...
    """

    def get(self, key: DataContextKey) -> Fields:
        """Return the stored suite.

        Raises:
            SuiteIncompleteError: An expectation in it is of an unknown type.
        """
        stored: Fields = super().get(key)
        refuse_lost(stored["name"], [item["type"] for item in stored["expectations"] if not _known(item["type"])])
        return stored


def _known(name: str) -> bool:
    try:
        get_expectation_impl(name)
    except ExpectationNotFoundError:
        return False
    return True


__all__ = ["ExpectationsStore", "SuiteIncompleteError"]

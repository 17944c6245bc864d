"""The names of the rules that flag rows and of the scores, as users import them."""

from dqlabels.statistics.classes import FILTERS, SCORES

__all__ = ["FILTERS", "SCORES"]

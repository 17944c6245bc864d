"""The names of the rules that flag rows and of the scores, as users import them."""

from dqlabels.noise.probability import FILTERS
from dqlabels.statistics.scores import SCORES

__all__ = ["FILTERS", "SCORES"]

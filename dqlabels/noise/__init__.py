"""How much of a label column is wrong: rates that say what they assume, each with an interval."""

from dqlabels.noise.anchor import anchor_noise
from dqlabels.noise.joint import confident_noise
from dqlabels.noise.methods import METHODS, default_noise
from dqlabels.noise.mixture import mixture_noise
from dqlabels.noise.rate import NoiseRate, share_interval
from dqlabels.noise.reference import PROFILE_FORMAT, read_profile, reference_level, reference_noise
from dqlabels.noise.reviewed import ReviewPlan, rows_for_width

__all__ = [
    "METHODS",
    "PROFILE_FORMAT",
    "NoiseRate",
    "ReviewPlan",
    "anchor_noise",
    "confident_noise",
    "default_noise",
    "mixture_noise",
    "read_profile",
    "reference_level",
    "reference_noise",
    "rows_for_width",
    "share_interval",
]

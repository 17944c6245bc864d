"""How much of a label column is wrong: rates that say what they assume, each with an interval."""

from dqlabels.noise.methods import (
    METHODS,
    PROFILE_FORMAT,
    anchor_noise,
    confident_noise,
    default_noise,
    mixture_noise,
    read_profile,
    reference_level,
    reference_noise,
)
from dqlabels.noise.rate import NoiseRate, share_interval

__all__ = [
    "METHODS",
    "PROFILE_FORMAT",
    "NoiseRate",
    "anchor_noise",
    "confident_noise",
    "default_noise",
    "mixture_noise",
    "read_profile",
    "reference_level",
    "reference_noise",
    "share_interval",
]

"""Label quality for dataframes."""

__version__ = "0.1.0"

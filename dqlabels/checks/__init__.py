"""Checks of a labelled table beside its labels: each a function from arrays to a frozen finding."""

"""Checks of the table around the labels. Each is a function from arrays to a frozen finding."""

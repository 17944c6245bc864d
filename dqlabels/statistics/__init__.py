"""Numpy in, numpy out: one file a kind of label, and the tools they share; everything here merges."""

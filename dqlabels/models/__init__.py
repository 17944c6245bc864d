"""Models that judge rows they did not see: the default model, any classifier, and trees as plain arrays."""

"""What judges rows it did not see: the default model, any classifier, and the trees as plain arrays."""

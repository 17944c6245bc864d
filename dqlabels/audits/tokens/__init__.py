"""A label for each token of a sentence, as in tagging and named entities."""

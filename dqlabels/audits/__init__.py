"""From a frame to an audit: the one entry, its options, the kinds of label, and what each of them gives."""

"""Labels of the same rows by several annotators, systems or extracts: consensus, trust, agreement, what to ask next."""

"""Several labels a row from several annotators, systems or extracts: consensus, trust, agreement, what to ask next."""

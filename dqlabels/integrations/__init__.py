"""Where other tools meet an audit; nothing else in the package imports these."""

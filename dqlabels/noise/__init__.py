"""How much of a label column is wrong: rates that say what they assume, each with an interval."""

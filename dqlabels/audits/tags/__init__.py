"""Several labels per row: which one is missing, which one is wrong, and how far each can be trusted."""

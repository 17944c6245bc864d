"""Labels of one class per row, with or without an order."""

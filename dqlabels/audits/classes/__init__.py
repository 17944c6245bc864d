"""Labels of one class a row, with or without an order."""

"""Tables of more rows than are fitted: a model of a sample judges every row, in memory or as they stream by."""

"""Labels that are numbers: statistics, model, pipeline and result."""

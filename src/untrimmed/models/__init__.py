"""Networks that find actions: one file a model, and the arithmetic that they share."""

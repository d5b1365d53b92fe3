"""Networks that turn pictures into feature vectors: one file a backbone."""

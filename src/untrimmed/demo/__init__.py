"""The whole story on a small set of videos that the demo renders itself."""

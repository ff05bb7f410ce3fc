"""Saved models: written, registered, found and loaded again."""

"""The best of a sweep trained again: confirmed with fresh seeds, retrained, tested once."""

"""The one truth: the study, its only writer, and everything that guards it."""

"""A sweep shown while it runs, to whoever started it: `live.Progress` follows one and draws it."""

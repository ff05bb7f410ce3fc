"""A sweep shown while it runs. Others use `live.Progress`, which follows a sweep and draws it."""

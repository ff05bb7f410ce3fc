"""What to try next and when to stop it: samplers and pruners. Knows nothing of workers."""

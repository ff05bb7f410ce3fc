"""Ray Tune as the hands of the engine. The only importer of Ray beside the worker."""

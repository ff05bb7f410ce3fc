"""Ray Tune as the hands of the engine. The only importer of Ray beside the worker.

For others: `session` (a Ray to run on), `loop` (trials run until there are none), `placement` (how many at
once, and on what), `shared_folder` (whether all nodes see the checkpoints).
"""

import logging

# As it is imported, Ray advises a notebook to install widgets, which nothing here draws with.
logging.getLogger("ray.widgets").setLevel(logging.WARNING)

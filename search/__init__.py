"""Many runs: ask, place, prune, log, resume, retrain."""

import os

# Ray reads this when it is first imported. Under `uv run` its hook would otherwise start every worker
# through `uv run` again, in a copied folder: 18 to 40 s before the first trial. On a cluster the nodes
# have the environment installed.
os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")

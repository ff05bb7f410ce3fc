"""Who works on what: hands trials to workers and takes in what they say.

Knows nothing of Ray but the worker's report.
"""

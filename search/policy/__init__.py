"""What to try next and when to stop it: samplers and pruners. Knows nothing of workers.

For others: `making` (a sweep's sampler and pruner), `rehearsal` (both tried before anything starts),
`pruners` (which one a name stands for), `expected_cost` (which trial takes longest).
"""

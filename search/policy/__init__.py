"""What to try next and when to stop it: samplers and pruners. Knows nothing of workers.

For others: `settling` (what an automatic choice is), `making` (the sampler and the pruner), `rehearsal` (both
tried before anything starts), `pruners` (which needs a bound), `expected_cost` (which trial takes longest),
`race` and `racing` (between the finalists of a sweep), `curves` (a model of them; configurations as points).
"""

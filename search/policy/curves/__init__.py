"""A model of learning curves over configurations, and what is asked of it.

For others: `sampler` (new configurations), `prediction` (how frozen trials would end), `encoding`
(configurations as points).
"""

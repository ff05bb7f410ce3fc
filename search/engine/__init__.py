"""Who works on what: hands trials to workers and takes in what they say. Knows nothing of Ray but the report.

For others: `dispatch` (hands out and takes in), `observers` (what follows a sweep, and why it stops),
`background` (loggers follow in threads of their own) and `pending` (what such a thread has left to do),
`messages` (what driver and worker say to each other), `worker` (the function that Ray runs), `interrupts`,
`ending` and `signals` (a stop within its grace), `scratch` (temporary folders).
"""

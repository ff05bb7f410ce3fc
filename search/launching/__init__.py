"""From what a person asks for to a checked configuration and a plan.

For others, in this order: `sweep_file` (TOML), `request` (what is asked for, as typed), `launch` (that a
launch is new, and what a resume continues with), `preflight` (whether databases answer), `plan` (what it
will cost), `claim` (the new sweep's folder).
"""

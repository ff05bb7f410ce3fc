"""From what a person asks for to a checked configuration and a plan."""

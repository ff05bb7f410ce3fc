"""The same sweep in other tools, each written after that tool's own documentation."""

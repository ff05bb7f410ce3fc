"""What is shown of a sweep: progress on the terminal, figures, the report."""

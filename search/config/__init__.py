"""What a sweep is: its configuration, checked, and where its things lie."""

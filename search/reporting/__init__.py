"""What is drawn of a sweep: its figures, interactive and for papers, and the report that holds them."""

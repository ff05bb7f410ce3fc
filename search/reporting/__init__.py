"""A sweep as one HTML file that opens anywhere, offline."""

"""What is trained: the training function, named, found again, sent to workers; its view of the sweep."""

"""What trials came to: leaderboards, summaries, comparisons, how sure they are. Reads records alone."""

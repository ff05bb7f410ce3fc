"""What trials came to: leaderboards, summaries, comparisons, how sure they are. Reads records alone.

Others use `summary.summarise` for a sweep, `leaderboard` for what it came to, `statistics` for what a few
seeds say, `columns` and `digits` for tables that people read, and `next_steps` for what to do now.
"""

"""The cycle on loads that somebody wrote down or recorded: policy tests."""

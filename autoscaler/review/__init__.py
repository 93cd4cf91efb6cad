"""What a change of policies would do: one engine, and faces for a terminal, a comment and a workflow's log."""

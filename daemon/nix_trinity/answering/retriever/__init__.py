"""Find what an answer is grounded in: the options, notes and passages that a question is about."""

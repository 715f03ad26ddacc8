"""Everything that is kept: exchanges, feedback, and the redaction of secrets on the way in."""

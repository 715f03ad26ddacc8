"""The thin client: standard library only, starts in tens of milliseconds."""

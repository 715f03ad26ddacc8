"""A server of the Model Context Protocol in front of the daemon: what agents and editors ask through."""

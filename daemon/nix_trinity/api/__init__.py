"""Typed messages and HTTP routes on the Unix socket."""

"""Checks an answer while it streams: option names, Nix code and commands, before anybody sees them."""

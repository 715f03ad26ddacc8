"""NixTrinity: a NixOS assistant that runs on your own machine and is true for that very machine."""

__version__ = "0.1.0"

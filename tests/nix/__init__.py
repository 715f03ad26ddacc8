"""The NixOS module, rendered and checked without NixOS."""

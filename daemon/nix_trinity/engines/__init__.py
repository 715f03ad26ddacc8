"""Servers that run models, behind one protocol; nothing outside this folder knows which one it is."""

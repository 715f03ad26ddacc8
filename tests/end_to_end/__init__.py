"""Tests that run the real parts: a real Ollama, a real model, real sockets."""

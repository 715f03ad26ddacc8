"""The line from a question to an answer: route, prompt, engine, knowledge."""

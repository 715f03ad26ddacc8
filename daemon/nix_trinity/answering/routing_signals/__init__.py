"""What the router listens for: each signal is a pattern, what it means in words, and its weight per role.

A new signal goes where its role's others are. Weights are graded by hand in halves (1 a hint, 2 clear, 3
strong, 4 and more decides alone) and tuned on ``tests/data/routing.jsonl``; ``python -m bench.routing --fit``
measures them, also on questions by another hand, beside weights that are fitted to the same signals.

``prose`` signals read only what the person wrote about; ``all`` signals also read what was pasted. Words of
other languages stand beside the English ones, so that a question is routed by what it wants in any of them.
"""

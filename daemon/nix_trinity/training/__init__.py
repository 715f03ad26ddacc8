"""The learn line: select, build, evaluate, deploy, prune."""

"""The cases of oracle.py, one module for a family of requests."""

"""Spans of what is done, sent to a collector: only where the environment asks for it."""

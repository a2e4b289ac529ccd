"""Touching a machine: one protocol, and a way to reach hosts behind each of its implementations."""

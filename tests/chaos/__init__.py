"""Real processes on a real database, and what becomes of rollouts when they are killed, stopped or cut off."""

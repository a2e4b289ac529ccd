"""The rules, as pure values. Nothing here imports anything outside the standard library or touches the world."""

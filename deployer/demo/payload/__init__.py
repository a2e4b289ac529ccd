"""The files of a demo release. They run on the demo's hosts, by themselves, and are never imported."""

"""What the live pages show, one file per noun."""

"""WTForms that call the domain's rules. HTML, JSON and the command line go through the same ones."""

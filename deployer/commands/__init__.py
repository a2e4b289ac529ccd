"""The commands of ``deployer``, one file per noun. :mod:`deployer.cli` puts them together."""

"""Deployer: upgrade and revert the versions of your microservices on your hosts. Importing starts nothing."""

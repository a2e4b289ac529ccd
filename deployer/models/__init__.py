"""The tables, their constraints and their guarded updates. No rules."""

from deployer.models.audit import AuditEntry
from deployer.models.catalog import Service, Version
from deployer.models.credentials import CredentialRow, SealingKey
from deployer.models.fleet import Host, HostKey, HostLabel, Instance
from deployer.models.people import ServiceRole, SignIn, Token, User
from deployer.models.rollouts import Rollout, Step, StepLog
from deployer.models.workers import WorkerRow

__all__ = [
    "AuditEntry",
    "CredentialRow",
    "Host",
    "HostKey",
    "HostLabel",
    "Instance",
    "Rollout",
    "SealingKey",
    "Service",
    "ServiceRole",
    "SignIn",
    "Step",
    "StepLog",
    "Token",
    "User",
    "Version",
    "WorkerRow",
]

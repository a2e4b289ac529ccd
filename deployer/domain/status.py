"""The states things can be in. Integer values are the original's wire values (SEED, "Status values")."""

from __future__ import annotations

from enum import IntEnum, StrEnum


class Action(StrEnum):
    """The two directions of one operation (S3)."""

    UPGRADE = "upgrade"  # to a higher version id
    REVERT = "revert"  # to a lower version id


class BuildStatus(IntEnum):
    """How the build of a version ended. Only SUCCESS can be a target (S7)."""

    PENDING = 0  # recorded, not started
    BUILDING = 1  # running now
    SUCCESS = 2  # an artifact exists
    TIMEOUT = 3  # given up on by the build system
    FAILED = 4  # ended with an error
    DUPLICATE = 5  # the same source was built before under another label


class InstanceStatus(IntEnum):
    """What is going on with one service on one host."""

    RUNNING = 0  # the recorded version is in service
    INSTALLING = 1  # first release on its way
    UPGRADING = 2  # held by an upgrade (S12)
    REVERTING = 3  # held by a revert (S12)
    DELETING = 4  # being taken off the host
    INSTALL_FAILED = 11
    UPGRADE_FAILED = 12  # the last upgrade did not succeed; the version is what the probe found
    REVERT_FAILED = 13  # the same for a revert
    DELETE_FAILED = 14

    @property
    def is_failed(self) -> bool:
        """Whether the last thing that was tried on the instance did not succeed."""
        return self >= InstanceStatus.INSTALL_FAILED

    @staticmethod
    def during(action: Action) -> InstanceStatus:
        """The status of an instance while ``action`` holds it."""
        return InstanceStatus.UPGRADING if action is Action.UPGRADE else InstanceStatus.REVERTING

    @staticmethod
    def after_failed(action: Action) -> InstanceStatus:
        """The status of an instance on which ``action`` did not succeed."""
        return InstanceStatus.UPGRADE_FAILED if action is Action.UPGRADE else InstanceStatus.REVERT_FAILED


class InstanceGroup(StrEnum):
    """The statuses in three heaps, as one looks for them."""

    RUNNING = "running"  # nothing is wrong and nothing goes on
    MOVING = "moving"  # something is being done
    FAILED = "failed"  # the last thing that was done did not succeed

    @property
    def members(self) -> list[InstanceStatus]:
        """The statuses in it."""
        return [status for status in InstanceStatus if InstanceGroup.of(status) is self]

    @staticmethod
    def of(status: InstanceStatus) -> InstanceGroup:
        """The heap of a status."""
        if status is InstanceStatus.RUNNING:
            return InstanceGroup.RUNNING
        return InstanceGroup.FAILED if status.is_failed else InstanceGroup.MOVING


class Evidence(StrEnum):
    """How we know the version recorded on an instance."""

    RECORDED = "recorded"  # a person said so; never asked
    CONFIRMED = "confirmed"  # the running service answered with exactly this version
    UNVERIFIED = "unverified"  # the last time we asked, nothing usable answered


class StepState(StrEnum):
    """One instance's part of a rollout."""

    QUEUED = "queued"  # accepted and held, no worker has it yet
    RUNNING = "running"  # a worker holds its lease
    SUCCEEDED = "succeeded"  # the probe answered with the target version
    FAILED = "failed"  # it did not; the reason is on the step
    CANCELLED = "cancelled"  # never started, because the rollout ended early; the instance is as it was
    SKIPPED = "skipped"  # never started, because a person left it out at the gate; the instance is as it was

    @property
    def is_final(self) -> bool:
        """Whether nothing more happens to the step."""
        return self not in (StepState.QUEUED, StepState.RUNNING)


TOUCHED = (StepState.SUCCEEDED, StepState.FAILED)  # something was done on the host


class RolloutState(StrEnum):
    """One accepted request, over all its steps."""

    QUEUED = "queued"  # accepted, waiting for a worker
    RUNNING = "running"  # under way: workers take the steps of its current wave
    PAUSED = "paused"  # no new step starts until somebody says so; running ones come to their end
    CANCELLING = "cancelling"  # a person ended it: no new step starts, running ones come to their end
    STOPPING = "stopping"  # too many hosts failed: no new step starts, running ones come to their end
    SUCCEEDED = "succeeded"  # every host that was not left out runs the target version
    FAILED = "failed"  # at least one host does not
    CANCELLED = "cancelled"  # ended early by a person; no host failed

    @property
    def is_final(self) -> bool:
        """Whether nothing more happens to the rollout."""
        return self in (RolloutState.SUCCEEDED, RolloutState.FAILED, RolloutState.CANCELLED)

    @property
    def starts_steps(self) -> bool:
        """Whether workers may take steps of the rollout's current wave."""
        return self in (RolloutState.QUEUED, RolloutState.RUNNING)


class OnFailure(StrEnum):
    """What happens once so many hosts have failed that a rollout stops."""

    STOP = "stop"  # the hosts stay as they are
    UNDO = "undo"  # every host that the rollout touched goes back to its own previous version


class Origin(StrEnum):
    """Why there is a rollout that follows another one."""

    UNDO = "undo"  # takes back what the other did
    RETRY = "retry"  # tries the other's failed hosts again


class Reach(StrEnum):
    """How a host's commands are run."""

    LOCAL = "local"  # on the worker's own machine, under the host's directory
    SSH = "ssh"  # over the network, as a user of that machine

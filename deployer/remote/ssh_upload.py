"""A file onto a host by SFTP: what is there already is not sent again."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO

import asyncssh

from deployer.domain.release import Command
from deployer.remote import ssh_session
from deployer.remote.runner import DirectoryMissing, DiskFull, Dropped, RunnerError, TimedOut, TransferFailed
from deployer.remote.ssh_failures import LoginTalks, PermissionRefused, SftpMissing
from deployer.remote.ssh_target import SshTarget

CHUNK = 1 << 20  # bytes that are under way at a time
# As many at first, and while they take longer than QUICK seconds: a sign of life waits behind what is under way.
FIRST_CHUNK = 1 << 16
QUICK = 0.5
LEAST = 1 << 17  # as many, when very many files are under way
ROOM = 12 << 20  # bytes that all files together have under way; each takes almost three times that of memory
SFTP_SECONDS = 20.0  # until the host answers to SFTP
GREETING_SECONDS = 5.0  # the same, to a question about why it does not
_PREFIX = 'head -c "$1" <"$2" | sha256sum'


class Room:
    """What is under way of all files of this process."""

    def __init__(self) -> None:
        self._taken = 0

    @contextlib.contextmanager
    def share(self, most: int) -> Iterator[int]:
        """How many bytes one file may have under way inside the block, at most ``most``: the less, the more the others
        have."""
        length = min(most, max(LEAST, (ROOM - self._taken) // 4))
        self._taken += length
        try:
            yield length
        finally:
            self._taken -= length


_room = Room()


async def put(
    connection: asyncssh.SSHClientConnection,
    target: SshTarget,
    user: str,
    source: Path,
    destination: str,
    deadline: float,
) -> None:
    """Copy ``source`` to ``destination``, after what is there of it already."""
    if not PurePosixPath(destination).is_relative_to(target.directory) or ".." in PurePosixPath(destination).parts:
        raise TransferFailed("The destination is not in the host's directory.")
    try:
        async with asyncio.timeout(deadline):
            with await asyncio.to_thread(_opened, source) as file:
                size = os.fstat(file.fileno()).st_size
                async with _sftp(connection, target, user) as sftp:
                    await _Upload(connection, target, user, sftp, destination).send(file, size)
    except TimeoutError:
        raise TimedOut(
            "Sending the archive",
            deadline,
            "What has arrived stays on the host: try again, and only the rest is sent.",
        ) from None


async def try_it(connection: asyncssh.SSHClientConnection, target: SshTarget, user: str) -> None:
    """See whether files can be sent, and send none. Raises as :func:`put`."""
    async with _sftp(connection, target, user):
        pass


@contextlib.asynccontextmanager
async def _sftp(
    connection: asyncssh.SSHClientConnection, target: SshTarget, user: str
) -> AsyncIterator[asyncssh.SFTPClient]:
    try:
        async with asyncio.timeout(SFTP_SECONDS):
            sftp = await connection.start_sftp_client()
    except (asyncssh.Error, OSError) as error:  # TimeoutError is one of the latter
        if connection.is_closed():
            raise Dropped(target.name, "an archive was sent") from error
        raise await _no_sftp(connection, target, user, isinstance(error, TimeoutError)) from error
    try:
        yield sftp
    finally:
        sftp.exit()


async def _no_sftp(
    connection: asyncssh.SSHClientConnection, target: SshTarget, user: str, late: bool
) -> LoginTalks | SftpMissing:
    said = ""
    with contextlib.suppress(RunnerError, asyncssh.Error, OSError):
        async with asyncio.timeout(GREETING_SECONDS):
            said = await ssh_session.greeting(connection, target)
    if said:
        return LoginTalks(target, user, said)
    how = f"did not answer to SFTP within {SFTP_SECONDS:g} s" if late else "offers no file transfer by SFTP"
    return SftpMissing(
        f"{target.name} {how}.",
        "Set Subsystem sftp internal-sftp in its sshd_config, and let the login shell of the user print nothing.",
    )


class _Upload:
    """One file on its way."""

    def __init__(
        self,
        connection: asyncssh.SSHClientConnection,
        target: SshTarget,
        user: str,
        sftp: asyncssh.SFTPClient,
        destination: str,
    ) -> None:
        self._connection = connection
        self._target = target
        self._user = user
        self._sftp = sftp
        self._destination = destination

    async def send(self, file: BinaryIO, size: int) -> None:
        try:
            there = await self._is_there(file, size)
            if there == size > 0:
                return
            await self._write(file, there)
        except asyncssh.SFTPError as error:
            raise await self._failure(error) from error
        except (asyncssh.Error, OSError) as error:
            raise Dropped(self._target.name, "an archive was sent") from error

    async def _is_there(self, file: BinaryIO, size: int) -> int:
        """How many of the first bytes are on the host, and are the same as ours."""
        try:
            found = await self._sftp.lstat(self._destination)
        except asyncssh.SFTPNoSuchFile:
            return 0
        there = found.size or 0
        if found.type != asyncssh.FILEXFER_TYPE_REGULAR or not 0 < there <= size:
            return 0
        command = Command(("sh", "-c", _PREFIX, "deployer", str(there), self._destination), 300)
        try:
            result, ours = await asyncio.gather(
                ssh_session.run(self._connection, self._target, self._user, command, lambda _line: None),
                asyncio.to_thread(_sha256_of_first, file, there),
            )
        except Dropped:
            raise
        except RunnerError:
            return 0
        return there if result.ok and result.stdout[-1:] and result.stdout[-1].split()[:1] == [ours] else 0

    async def _write(self, file: BinaryIO, offset: int) -> None:
        file.seek(offset)
        remote = await self._sftp.open(self._destination, "r+b" if offset else "wb")
        try:
            now = asyncio.get_running_loop().time
            most = min(FIRST_CHUNK, CHUNK)
            while True:
                with _room.share(most) as length:
                    chunk = await asyncio.to_thread(_read, file, length)
                    if not chunk:
                        break
                    began = now()
                    await remote.write(chunk, offset)
                    offset += len(chunk)
                most = min(4 * most, CHUNK) if now() - began < QUICK else min(FIRST_CHUNK, CHUNK)
        finally:
            with contextlib.suppress(asyncssh.Error, OSError, TimeoutError):
                async with asyncio.timeout(2):
                    await remote.close()

    async def _failure(self, error: asyncssh.SFTPError) -> RunnerError:
        """Most of what can go wrong on the host comes as nothing but "failure"."""
        where = f"{self._destination} on {self._target.name}"
        parent = str(PurePosixPath(self._destination).parent)
        if isinstance(error, asyncssh.SFTPConnectionLost | asyncssh.SFTPNoConnection) or self._connection.is_closed():
            return Dropped(self._target.name, "an archive was sent")
        if isinstance(error, asyncssh.SFTPPermissionDenied):
            return PermissionRefused(
                f"{self._user} may not write {where}.", "Give that user the host's directory, or come as another user."
            )
        if isinstance(error, asyncssh.SFTPNoSuchFile | asyncssh.SFTPNoSuchPath):
            return DirectoryMissing(
                f"The directory {parent} is not on {self._target.name}.", "Prepare the host first, then try again."
            )
        if isinstance(error, asyncssh.SFTPNoSpaceOnFilesystem | asyncssh.SFTPQuotaExceeded) or await self._is_full(
            parent
        ):
            return DiskFull(
                f"The disk is full: there is no room left in {parent} on {self._target.name}.",
                "Make room there, then try again; what has arrived is not sent again.",
            )
        return TransferFailed(
            f"{where} could not be written: {error.reason.rstrip('.')}.",
            "See that there is room, that no quota or file size limit is reached, and that the disk is writable.",
        )

    async def _is_full(self, directory: str) -> bool:
        with contextlib.suppress(asyncssh.Error, OSError, TimeoutError):
            async with asyncio.timeout(5):
                found = await self._sftp.statvfs(directory)
            # A file system may keep a last rest that is too small for what was to be written.
            return found.bavail * found.frsize < CHUNK or (found.files > 0 and found.favail == 0)
        return False


def _opened(source: Path) -> BinaryIO:
    try:
        return source.open("rb")
    except OSError as error:
        raise _unreadable(error) from error


def _read(file: BinaryIO, length: int) -> bytes:
    try:
        return file.read(min(CHUNK, length))
    except OSError as error:
        raise _unreadable(error) from error


def _unreadable(error: OSError) -> TransferFailed:
    return TransferFailed(f"The archive could not be copied: {error.strerror}.", "See that the worker can read it.")


def _sha256_of_first(file: BinaryIO, length: int) -> str:
    digest = hashlib.sha256()
    file.seek(0)
    while length > 0 and (chunk := _read(file, length)):
        digest.update(chunk)
        length -= len(chunk)
    return digest.hexdigest()

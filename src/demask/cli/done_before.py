"""What earlier runs over a folder did: `.demask.jsonl` beside the outputs, a line per photo.

A line is written before the output takes its name, and holds the output's sha256: whatever a run is killed at,
the next one knows every finished output as such, and no other. A line that was cut short is skipped.
"""

from __future__ import annotations

import hashlib
import json
import threading
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from demask.batch.manifest_row import MadeWith, differences, digest_of, sha256_of
from demask.cli.outcome import Report, failure
from demask.cli.outputs import make_folder
from demask.cli.photo_jobs import Job
from demask.cli.photo_run import PhotoSettings, Work, do_photo
from demask.errors import DemaskError, InputError, OutputExists
from demask.photo.file_bytes import read_file
from demask.results import Result

JOURNAL = ".demask.jsonl"


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """What was done with one photo.

    Attributes:
        output: Name of the output, in the journal's folder.
        photo: sha256 of the photo's bytes.
        made: Digest of networks and settings; the journal holds them once in full.
        status: `restored`, `no_face`, `no_covering` or `failed`.
        sha256: Of the output; None where none was to be written.
        error: Why the photo cannot be used.
    """

    output: str
    photo: str
    made: str
    status: str
    sha256: str | None = None
    error: str | None = None


class Journal:
    """The journal of one folder; other processes may append to it meanwhile."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / JOURNAL
        self._at = 0
        self._entries: dict[str, Entry] = {}
        self._made: dict[str, MadeWith] = {}

    def find(self, output: str) -> Entry | None:
        """The last that is known of an output."""
        self._read_on()
        return self._entries.get(output)

    def made_with(self, digest: str) -> MadeWith:
        """Networks and settings of a digest."""
        return self._made.get(digest, {})

    def append(self, entry: Entry, made: MadeWith) -> None:
        """Write an entry down.

        Raises:
            OSError: The disk is full, or the folder is not writable.
        """
        self._read_on()
        lines = [asdict(entry)]
        if entry.made not in self._made:
            lines.insert(0, {"made": entry.made, "with": dict(made)})
        # A line begins with a break: what a killed run left of its last one is a line of its own.
        data = "".join("\n" + json.dumps(line) for line in lines) + "\n"
        with self._path.open("ab", buffering=0) as file:
            file.write(data.encode())

    def _read_on(self) -> None:
        try:
            with self._path.open("rb") as file:
                file.seek(self._at)
                data = file.read()
        except FileNotFoundError:
            return
        whole = data[: data.rfind(b"\n") + 1]
        self._at += len(whole)
        for line in whole.splitlines():
            try:
                facts = json.loads(line)
                if "with" in facts:
                    self._made[facts["made"]] = facts["with"]
                else:
                    entry = Entry(**facts)
                    self._entries[entry.output] = entry
            except (ValueError, TypeError, KeyError):
                continue


class DoneBefore:
    """Do photos, and leave out those that an earlier run did.

    Args:
        made: Networks and settings of this run.
        settings: As for `do_photo`.
        retry_failed: Try a photo again that could not be used.
    """

    def __init__(self, made: MadeWith, settings: PhotoSettings, *, retry_failed: bool) -> None:
        self._made, self._settings, self._retry_failed = made, settings, retry_failed
        self._digest = digest_of(made)
        self._journals: dict[Path, Journal] = {}
        self._lock = threading.Lock()

    def __call__(self, job: Job, work: Work) -> Report:
        """As `do_photo`; what is done already has the status `done`."""
        if job.source is None or job.target is None:
            return do_photo(job, work, self._settings)
        try:
            photo = read_file(job.source, max_megapixels=self._settings.max_megapixels)
        except DemaskError as error:
            return failure(job.label, error)
        sha256 = hashlib.sha256(photo).hexdigest()
        try:
            before = self._before(job, sha256)
            if before is not None:
                return before
            report = do_photo(job, self._noting(work, sha256), self._settings, photo=photo)
            if report.status == "failed" and job.target.exists():  # Another process may have been quicker.
                return self._before(job, sha256) or report
            return report
        except (OSError, DemaskError) as error:
            return failure(job.label, error)

    def _before(self, job: Job, sha256: str) -> Report | None:
        """What to say of a photo that needs no work.

        Raises:
            OutputExists: The output is there, and is not what this run would make.
        """
        assert job.target is not None
        if self._settings.overwrite:
            return None
        with self._lock:
            journal = self._journal(job.target)
            entry = journal.find(job.target.name)
            was = journal.made_with(entry.made) if entry else {}
        there = job.target.exists()
        if entry is None:
            return None
        same = (entry.photo, entry.made) == (sha256, self._digest)
        if entry.status == "failed":
            if there or not same or self._retry_failed:
                return None
            tried = InputError(f"{entry.error} (an earlier run said so; --retry-failed tries again)")
            return failure(job.label, tried)
        if there:
            self._refuse_another(job.target, entry, sha256, was)
        done = same and there == (entry.sha256 is not None)
        if not done or (job.hole_target is not None and not job.hole_target.exists()):
            return None
        return Report(
            input=job.label, output=str(job.target) if there else None, status="done", before=entry.status
        )

    def _refuse_another(self, target: Path, entry: Entry, sha256: str, was: MadeWith) -> None:
        if entry.photo != sha256:
            why = "was made from other bytes of the photo"
        elif entry.made != self._digest:
            why = f"was made otherwise: {differences(was, self._made)}"
        elif entry.sha256 != sha256_of(target):
            why = "was changed since it was made"
        else:
            return
        raise OutputExists(f"{target} exists and {why}; name another output or pass --overwrite")

    def _noting(self, work: Work, sha256: str) -> Work:
        def noted(job: Job, source: Path | bytes) -> Result[bytes | None]:
            try:
                result = work(job, source)
            except InputError as error:
                self._note(job, photo=sha256, status="failed", error=" ".join(str(error).split()))
                raise
            made = None if result.photo is None else hashlib.sha256(result.photo).hexdigest()
            self._note(job, photo=sha256, status=result.status, sha256=made)
            return result

        return noted

    def _note(self, job: Job, **facts: Any) -> None:
        assert job.target is not None
        if job.makes_folder:
            make_folder(job.target.parent)
        with self._lock:
            entry = Entry(output=job.target.name, made=self._digest, **facts)
            self._journal(job.target).append(entry, self._made)

    def _journal(self, target: Path) -> Journal:
        return self._journals.setdefault(target.parent, Journal(target.parent))

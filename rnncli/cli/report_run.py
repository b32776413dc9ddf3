"""What ``rnncli report`` does."""

import sys
from pathlib import Path

from rnncli import console, durable
from rnncli.errors import Place, ResourceError
from rnncli.report.page import page
from rnncli.report.subject import subject_of
from rnncli.tasks.answers import BATCH_SIZE
from rnncli.trained import load_model
from rnncli.training.device import pick_device, set_threads


def write_report(run: Path, data: str | None, device: str, file: Path | None) -> None:
    """The page to a file, and a word of what it is to stdout; or to stdout itself.

    Raises:
        ResourceError: if the file cannot be written.
    """
    if file is not None and (file.is_dir() or not file.absolute().parent.is_dir()):
        why = "is a folder" if file.is_dir() else "its folder is not there"
        raise ResourceError(why, "name a file in a folder that is there", Place(str(file)))
    model = load_model(run, pick_device(device))
    set_threads("auto", model.config.model, BATCH_SIZE)
    subject = subject_of(run, model, data, console.warn)
    if subject.changed:
        console.warn("the data has changed since training: the held-out parts are not what they were")
    raw = page(subject).encode()
    if file is None:
        sys.stdout.write(raw.decode())
        return
    durable.write(file, raw)
    document = {"run": str(run), "report": str(file), "bytes": len(raw)}
    console.emit_document(document, [console.Sheet("", list(document), [list(document.values())])])

"""The run folder on disk: `RunFolder`."""

from tbench.store.folder import FINISHED, HEADER, SCHEMA_VERSION, UNFINISHED, RunFolder, refuse_taken, write_file

__all__ = ["FINISHED", "HEADER", "SCHEMA_VERSION", "UNFINISHED", "RunFolder", "refuse_taken", "write_file"]

"""The embedded PostgreSQL: a supervised child process on a folder of its own, for those who run no server.

- What was committed stays: fsync, synchronous_commit and full_page_writes are on whatever the configuration says.
- One process uses a folder at a time. The lock goes with the process, however it ends.
- However the app or the server ends, the next start finds the folder usable; a server that ends alone comes back.
- Nothing outside the folder is changed, but for the system account `fairwind` that root needs.

docs/decisions/0002-embedded-postgresql.md says why it is built this way.
"""

from fairwind.kernel.postgres.folder import DataFolder, default_data_folder
from fairwind.kernel.postgres.server import EmbeddedPostgres
from fairwind.kernel.postgres.trouble import DataFolderError

__all__ = ["DataFolder", "DataFolderError", "EmbeddedPostgres", "default_data_folder"]

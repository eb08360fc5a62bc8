"""The fairwind command: a table of what there is. Each entry is imported when it is called."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

from cyclopts import App, CycloptsError

import fairwind

app = App(
    name="fairwind",
    help="Fairwind 乘风: live commerce with a creator alliance.",
    help_epilogue="Settings come from FAIRWIND_… variables and the TOML file that FAIRWIND_CONFIG names: "
    "see `fairwind config show`.",
    version=fairwind.__version__,
    result_action="return_int_as_exit_code_else_zero",
)
database = App(name="db", help="Look after the database.")
account = App(name="account", help="Look after accounts.")
catalog = App(name="catalog", help="Move catalogues in and out.")
traffic = App(name="traffic", help="Look into how traffic is shared.")
alliance = App(name="alliance", help="Look into the alliance.")
config = App(name="config", help="Look at the settings.")
bench = App(name="bench", help="Measure on this machine.")

app.command(
    "fairwind.web.terminal:serve",
    name="serve",
    help="""Start the platform and serve until Ctrl-C.

Without FAIRWIND_DATABASE_URL it starts a PostgreSQL of its own in the data folder. The database is made or upgraded
where that is needed.

Example: `fairwind serve --port 8080`
""",
)
app.command(database)
database.command(
    "fairwind.web.terminal:upgrade",
    name="upgrade",
    help="""Bring the database's tables up to date. `fairwind serve` does it as well.

Example: `fairwind db upgrade --data /srv/fairwind`
""",
)
database.command(
    "fairwind.web.terminal:status",
    name="status",
    help="""Say where the database is and whether its tables fit this version; exits with 1 when they do not.

Example: `fairwind db status`
""",
)
app.command(
    "fairwind.audit:audit",
    name="audit",
    help="""Check every invariant over the whole database, also while it serves; exits with 1 when one is broken.

Each book sums to zero, stock is what came minus what went, each order's transfers match its lines, and so on, all on
one snapshot. The rows that break an invariant are printed.

Example: `fairwind audit --json`
""",
)
app.command(account)
account.command(
    "fairwind.web.terminal:create_account",
    name="create",
    help="""Make an account, for example the first operator's. The password is asked for twice.

Example: `fairwind account create lin@example.com --role operator`
""",
)
app.command(catalog)
catalog.command(
    "fairwind.web.files:import_file",
    name="import",
    help="""Import a catalogue file into a shop: Fairwind's CSV or Shopify's product CSV, in UTF-8 or GB18030.

Every valid line is imported, and each refused one named with its number and the reason; then it exits with 1. The same
file again changes nothing, so an import that broke off is simply run again.

Example: `fairwind catalog import goods.csv --shop 1001 --refused refused.csv`
""",
)
catalog.command(
    "fairwind.web.files:export_file",
    name="export",
    help="""Export a shop's products as a catalogue file that can be imported again.

Example: `fairwind catalog export --shop 1001 --to goods.csv --format shopify`
""",
)
app.command(alliance)
alliance.command(
    "fairwind.web.replays:replay_attribution",
    name="replay",
    help="""Decide again which creator each placed line is owed to, from the evidence stored with it.

Prints every line that comes out different, and exits with 1 when there is one. It only reads, also while the platform
serves.

Example: `fairwind alliance replay --shop 1001`
""",
)
app.command(traffic)
traffic.command(
    "fairwind.audit:traffic",
    name="audit",
    help="""Count the exposure log anew and hold it against what was promised; exits with 1 when a promise was broken.

For each day: Gini, Lorenz curve, the head's share, the least that a host had which was there most of the day, stages of
new hosts, and the utility that viewers kept.

Example: `fairwind traffic audit --json`
""",
)
app.command(config)
config.command(
    "fairwind.web.terminal:show_config",
    name="show",
    help="""Show every setting, its value and where it came from; passwords stay hidden.

Example: `FAIRWIND_CONFIG=fairwind.toml fairwind config show`
""",
)
app.command(
    "fairwind.demo.main:demo",
    name="demo",
    help="""Hold a live sale with a crowd of simulated buyers, report on it and audit it, then keep serving.

Everything happens on a data folder of the demo's own; a second run finds shops and people again and holds another sale.

Example: `fairwind demo --quick --no-serve --lang zh`
""",
)
app.command(bench)
bench.command(
    "fairwind.bench.main:orders",
    name="orders",
    help="""Measure how many orders a second this machine takes, one by one, in batches, bare, and through HTTP.

It starts a database of its own beside the data folder, with every durability setting on, and removes it.

Example: `fairwind bench orders --stage paid --json`
""",
)
bench.command(
    "fairwind.bench.main:settlement",
    name="settlement",
    help="""Measure how many received lines this machine settles in a second, by the job and one order at a time.

It starts a database of its own beside the data folder, with every durability setting on, and removes it. At the end
the books and the settlement are audited.

Example: `fairwind bench settlement --stage memory --json`
""",
)
bench.command(
    "fairwind.bench.traffic.main:traffic",
    name="traffic",
    help="""Measure how useful and how even the allocator of exposure is, beside published methods.

On published scores, when they are given: nDCG and evenness in file order and in five shuffled ones, and the frontier.
On a simulated day of a live feed: what is kept of utility and of each promise, with one process and with eight
replicas that rank on old prices. At last, how long a request and a refresh take.

Example: `fairwind bench traffic --scores scores.npz --publishers publishers.json --k 10 --pictures drawn`
""",
)
app.command(
    "fairwind.web.terminal:version",
    name="version",
    help="""Say which version this is.

Example: `fairwind version`
""",
)


def main() -> NoReturn:
    """Run a command. Exits with 0 when it went well, 1 when not, 2 when it was called wrongly."""
    try:
        status = app(exit_on_error=False)
    except CycloptsError:  # it has been printed
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        if os.environ.get("FAIRWIND_LOG_LEVEL") == "debug":
            raise
        sys.exit(f"fairwind: {_sentence(error)}")
    sys.exit(status)


def _sentence(error: Exception) -> str:
    """What to tell of error: its own words when they are meant for people."""
    from fairwind.kernel import DatabaseError, Refused, SettingsError
    from fairwind.kernel.postgres import DataFolderError
    from fairwind.web.server import AddressInUse

    if isinstance(error, Refused):
        return error.detail
    if isinstance(error, DatabaseError | SettingsError | DataFolderError | AddressInUse):
        return str(error)
    return f"this should not have happened: {error!r}; FAIRWIND_LOG_LEVEL=debug shows where"

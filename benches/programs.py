"""The programs of a benchmark: where they are, what brings them, how ours are built."""

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILT = Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target") / "release"
PANOPTES = BUILT / "panoptes"
FORWARDER = BUILT / "examples/forwarder"
HAPROXY = Path("/usr/sbin/haproxy")
PGBOUNCER = Path("/usr/sbin/pgbouncer")
POSTGRES_BIN = Path("/usr/lib/postgresql/15/bin")
MARIADBD = Path("/usr/sbin/mariadbd")
MARIADB_INSTALL = Path("/usr/bin/mariadb-install-db")
MARIADB = Path("/usr/bin/mariadb")
SYSBENCH = Path("/usr/bin/sysbench")
VALGRIND = Path("/usr/bin/valgrind")
PGAUDIT = Path("/usr/share/postgresql/15/extension/pgaudit.control")

# The Debian package of each.
PACKAGES = {
    POSTGRES_BIN / "postgres": "postgresql-15",
    POSTGRES_BIN / "pgbench": "postgresql-15",
    POSTGRES_BIN / "psql": "postgresql-client-15",
    PGAUDIT: "postgresql-15-pgaudit",
    HAPROXY: "haproxy",
    PGBOUNCER: "pgbouncer",
    MARIADBD: "mariadb-server",
    MARIADB: "mariadb-client",
    SYSBENCH: "sysbench",
    VALGRIND: "valgrind",
}


def install_missing(log):
    """Installs what the benchmark needs, as root; else leaves it to the targets to say what they miss."""
    missing = sorted({package for file, package in PACKAGES.items() if not file.exists()})
    if not missing:
        return
    if os.geteuid() != 0:
        log(f"not installed (needs root): {' '.join(missing)}")
        return
    log(f"installing {' '.join(missing)}")
    quiet = {"stdout": subprocess.DEVNULL, "env": {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}}
    subprocess.run(["apt-get", "update", "-q"], check=False, **quiet)
    subprocess.run(["apt-get", "install", "-y", "-q", "--no-install-recommends", *missing], check=False, **quiet)


def build(log):
    """Builds Panoptes and the forwarder as they are released."""
    log(f"building into {BUILT}")
    command = ["cargo", "build", "--quiet", "--release", "--bin", "panoptes", "--example", "forwarder"]
    subprocess.run(command, cwd=ROOT, check=True)
